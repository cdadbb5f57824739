package kernel

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// A port that cannot be made is left out, with one clear error; all else is as wanted.
func TestPortThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to      overlay.AttachType
		target  string
		before  string
		want    string
		private bool // before is done in the workload's namespace
	}{
		"interface taken": {overlay.AttachNetns, "", "ip link add eth0 type veth peer name x0", "has an interface eth0 already", true},
		"veth taken":      {overlay.AttachVeth, "web0", "ip link add web0 type veth peer name x0", "this host has an interface web0 already", false},
		"tap taken":       {overlay.AttachTap, "tap0", "ip tuntap add dev tap0 mode tap", "this host has a device tap0 already", false},
		"no tap":          {overlay.AttachTap, "tap0", "ip link add tap0 type bridge", "this host has a device tap0 already", false},
		"no bridge":       {overlay.AttachBridge, "virbr0", "true", "there is no bridge virbr0 on this host", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
			h := n.bed.hosts[0]
			s := n.state(0)
			net := s.Networks["blue"]
			good := net.Ports["e0"]
			good.Name, good.Device, good.MAC = "good", "wgood", overlay.MAC{2, 0, 0, 0, 0, 0x55}
			good.Addresses = good.Addresses[:0:0]
			good.Attach.Target = testenv.Namespace(t)
			net.Ports["good"] = good
			if c.to != overlay.AttachNetns {
				attached(c.to, c.target)(&net)
			}
			ns := h.ns
			if c.private {
				ns = n.workloads[0]
			}
			testenv.Run(t, ns, strings.Fields(c.before)...)
			before := deviceNames(t, ns)
			err := h.plane.Apply(context.Background(), s, nil)
			var failed *PortError
			if !errors.As(err, &failed) || failed.Port != "e0" || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if after := deviceNames(t, ns); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			seen, err := h.plane.Observe(t.Context(), "blue")
			if v := seen.Networks["blue"]; err != nil || len(v.Differs) > 0 || v.Present >= v.Wanted {
				t.Errorf("%d of %d, differs %q, %v", v.Present, v.Wanted, v.Differs, err)
			}
			h.plane.suspicions.raise("blue", lost{aboutNamespace{}})
			h.silence()
			delete(net.Ports, "e0")
			h.plane.want = s
			h.settled()
		})
	}
}

// What holds a network's VNI or UDP port is named, with where it is and what to do; the
// network's other objects are not listed as differing, nothing is announced while nothing
// changes, and when the holder has gone all is made.
func TestTunnelThatIsTaken(t *testing.T) {
	t.Parallel()
	const theirs = "ip link add theirs type vxlan dstport 4789 "
	for name, c := range map[string]struct {
		before []string // {X} is another namespace
		want   string
	}{
		"VNI": {
			[]string{theirs + "id 4097 local 192.0.2.1"},
			"vxlan device theirs has VNI 4097 on port 4789 already: remove it (ip link delete theirs), or give the network another VNI or port",
		},
		"VNI, by a device elsewhere": {
			[]string{theirs + "id 4097 local 192.0.2.1", "ip link set theirs netns {X}"},
			"vxlan device theirs in namespace {X} has VNI 4097 on port 4789 already: remove it (ip -n {X} link delete theirs), or give the network another VNI or port",
		},
		"port": {
			[]string{theirs + "external", "ip link set theirs up"},
			"UDP port 4789 of this host is held by vxlan device theirs, whose settings do not go with Weft's: remove it (ip link delete theirs), or give the network another port",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
			h := n.bed.hosts[0]
			there := strings.NewReplacer("{X}", filepath.Base(testenv.Namespace(t)))
			for _, command := range c.before {
				h.run(strings.Fields(there.Replace(command))...)
			}
			n.isRefused(t, there.Replace(c.want))
			remove := regexp.MustCompile(`\(([^)]*theirs)\)`).FindStringSubmatch(there.Replace(c.want))[1]
			h.run(strings.Fields(remove)...)
			h.apply(n.state(0))
			h.settled()
		})
	}
}

func TestPortThatAProcessHolds(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	var theirs *net.UDPConn
	if err := netns.Do(h.ns, func() (err error) {
		theirs, err = net.ListenUDP("udp4", &net.UDPAddr{Port: overlay.DefaultVXLANPort})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	n.isRefused(t, "UDP port 4789 of this host is held by process "+pid+commandOf(pid)+": stop it, or give the network another port")
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	h.apply(n.state(0))
	h.settled()
}

// isRefused applies the first host's State, which must fail for one reason.
func (n testNet) isRefused(t *testing.T, want string) {
	t.Helper()
	h := n.bed.hosts[0]
	for range 2 {
		err := h.plane.Apply(t.Context(), n.state(0), nil)
		if err == nil || err.Error() != "network blue: "+want {
			t.Fatalf("error %v, want %q", err, want)
		}
	}
	h.silence()
	seen, err := h.plane.Observe(t.Context(), "blue")
	if err != nil {
		t.Fatal(err)
	}
	if v := seen.Networks["blue"]; len(v.Differs) > 0 || v.Present >= v.Wanted {
		t.Errorf("%d of %d, differs %q", v.Present, v.Wanted, v.Differs)
	}
}

// deviceNames are a namespace's links, but for their states, of which some change late.
func deviceNames(t testing.TB, ns string) string {
	t.Helper()
	return testenv.Output(t, ns, "sh", "-c", "ip -br link | awk '{print $1, $3}'")
}
