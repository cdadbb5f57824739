package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// workloadTamperings are what somebody does inside a workload's namespace.
func workloadTamperings() []tampering {
	const b, r = overlay.Bridged, overlay.Routed
	return []tampering{
		{"address deleted", b, []string{"ip -n {W} address del 10.7.0.16/16 dev eth0"}},
		{"IPv6 address deleted", b, []string{"ip -n {W} address del fd07::10/64 dev eth0"}},
		{"address added", b, []string{"ip -n {W} address add 10.7.0.99/16 dev eth0"}},
		{"MTU", b, []string{"ip -n {W} link set eth0 mtu 1400"}},
		{"MAC", b, []string{"ip -n {W} link set eth0 address 02:00:00:00:00:99"}},
		{"alias", b, []string{"ip -n {W} link set eth0 alias x"}},
		{"down", b, []string{"ip -n {W} link set eth0 down"}},
		{"flap", b, []string{"ip -n {W} link set eth0 down", "ip -n {W} link set eth0 up"}},
		{"renamed", b, []string{"ip -n {W} link set eth0 down", "ip -n {W} link set eth0 name x0"}},
		{"default route deleted", b, []string{"ip -n {W} route flush proto 119"}},
		{"IPv6 default route deleted", b, []string{"ip -n {W} -6 route flush proto 119"}},
		{"flushed", b, []string{"ip -n {W} address flush dev eth0"}},
		{"deleted", b, []string{"ip -n {W} link del eth0"}},

		{"address deleted", r, []string{"ip -n {W} address del 10.7.1.16/32 dev eth0"}},
		{"flap", r, []string{"ip -n {W} link set eth0 down", "ip -n {W} link set eth0 up"}},
		{"way to the gateway deleted", r, []string{"ip -n {W} route del 10.7.0.1 proto 119"}},
		{"default route deleted", r, []string{"ip -n {W} route del default proto 119"}},
	}
}

// What somebody does to Weft's own inside a workload's namespace is announced and
// repaired like the rest, though nothing of Weft is in there to listen.
func TestTamperingInTheWorkload(t *testing.T) {
	t.Parallel()
	tamperWith(t, workloadTamperings())
}

// A workload without IPv6, as many containers are, lacks nothing for IPv4; if it is to have an
// address of IPv6, it is said what to do.
func TestWorkloadWithoutIPv6(t *testing.T) {
	t.Parallel()
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		n := newTestNet(t, 2, kind, overlay.V4)
		h, off := n.bed.hosts[0], n.workloads[0]
		testenv.Run(t, off, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
		err := h.plane.Apply(context.Background(), n.state(0), nil)
		want := fmt.Sprintf("attach endpoint blue/e0: network blue: namespace %s has IPv6 switched off: switch it on (nsenter --net=%s sysctl -w net.ipv6.conf.all.disable_ipv6=0), or give the endpoint IPv4 addresses alone",
			filepath.Base(off), off)
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		s := n.state(0)
		e := s.Networks["blue"].Ports["e0"]
		e.Addresses = slices.DeleteFunc(slices.Clone(e.Addresses), func(a netip.Addr) bool { return a.Is6() && !a.IsLinkLocalUnicast() })
		s.Networks["blue"].Ports["e0"] = e
		h.apply(s)
		n.bed.hosts[1].apply(n.state(1))
		ping(t, off, n.endpoint(1).Addresses[0].String(), "-W10")
		h.settled()
		h.silence()
		seen, err := h.plane.Compare(context.Background())
		if v := seen.Networks["blue"]; err != nil || v.Present != v.Wanted || len(v.Differs) > 0 {
			t.Errorf("%d of %d objects: %v, %v", v.Present, v.Wanted, v.Differs, err)
		}
		testenv.Run(t, off, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0")
		h.apply(n.state(0))
		h.settled()
		ping(t, off, n.endpoint(1).Addresses[1].String(), "-W10")
	}
}

// What a workload does with the rest of its namespace is its own business: nothing is
// suspected, so nothing is looked at.
func TestWorkloadsOwnBusiness(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.apply(n.state(0))
	h.silence()
	n.do(t, h, []string{
		"ip -n {W} link add x0 type veth peer name x1",
		"ip -n {W} link set x0 up", "ip -n {W} link set x1 up",
		"ip -n {W} address add 198.51.100.1/24 dev x0",
		"ip -n {W} route add 203.0.113.0/24 via 198.51.100.2",
		"ip -n {W} route add default via 198.51.100.2",
		"ip -n {W} route add 203.0.113.0/24 via 10.7.0.1 dev eth0 metric 7",
		"ip -n {W} link del x0",
	})
	h.silence()
	h.settled()
}

// Weft listens to a workload's namespace and does not keep it alive: it goes with the
// last process in it, which takes the port along.
func TestListeningKeepsNothingAlive(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	sleep := exec.Command("sleep", "infinity")
	if err := netns.Do(n.workloads[0], sleep.Start); err != nil {
		t.Fatal(err)
	}
	if err := netns.Delete(n.workloads[0]); err != nil {
		t.Fatal(err)
	}
	n.workloads[0] = netns.FromPID(sleep.Process.Pid)
	h.apply(n.state(0))
	h.silence()
	testenv.Run(t, n.workloads[0], "ip", "address", "del", "10.7.0.16/16", "dev", "eth0")
	if e := h.event(); e.Kind != dataplane.EventChanged {
		t.Errorf("want a change, got %v", e)
	}
	h.apply(n.state(0))
	h.drain()
	if err := sleep.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = sleep.Wait() // its exit code says that it was killed
	if e := h.event(); e.Kind != dataplane.EventPortGone || e.Port != "e0" {
		t.Errorf("want e0 gone, got %v", e)
	}
	testenv.Eventually(t, 10*time.Second, func() error {
		return netns.Do(string(DomainNS(h.dir, n.spec.Name)), func() error {
			if out, err := exec.Command("ip", "link", "show", n.endpoint(0).Device).CombinedOutput(); err == nil {
				return fmt.Errorf("the port is still there: %s", out)
			}
			return nil
		})
	}, "the namespace goes")
}

// A workload that plays with its interface makes the plane look now and then, not all
// the time.
func TestPace(t *testing.T) {
	t.Parallel()
	s := newSuspicions()
	start := time.Now()
	at := func(after time.Duration) (int, time.Duration) {
		names, wait := s.take(start.Add(after))
		return len(names), wait
	}
	check := func(after time.Duration, looks int, wait time.Duration) {
		t.Helper()
		if n, w := at(after); n != looks || w != wait {
			t.Errorf("after %v: %d looks and %v to wait, want %d and %v", after, n, w, looks, wait)
		}
	}
	s.raise("blue", inWorkload{"MTU"})
	check(0, 1, 0)
	s.raise("blue", inWorkload{"MTU"})
	check(pace/4, 0, pace-pace/4)
	s.raise("blue", "a device of Weft's")
	check(pace/2, 1, 0)
	s.raise("blue", inWorkload{"MTU"})
	check(pace/2, 0, pace)
	check(2*pace, 1, 0)
	check(4*pace, 0, 0)
}

// When more happened than could be kept, the plane looks, and listens anew.
func TestDeaf(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.apply(n.state(0))
	h.silence()
	h.plane.deaf()
	h.silence()
	n.do(t, h, []string{"ip -n {W} link set eth0 mtu 1400"})
	if e := h.event(); e.Kind != dataplane.EventChanged {
		t.Errorf("want a change, got %v", e)
	}
	h.apply(n.state(0))
	h.settled()
}
