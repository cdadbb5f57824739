package kernel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// vxlanFar is the MAC of the far end that is typed in the tests of vxlan's modes.
var vxlanFar = overlay.MAC{0x02, 0, 0, 0, 0x20, 0x03}

// typedVXLAN is a far end on host b, as the second article has it: what is behind id.
func (p tunnelPair) typedVXLAN(words string) {
	p.t.Helper()
	line := "link add vxlan0 address " + vxlanFar.String() + " mtu 1400 type vxlan id 42 dstport 4789 dev eth0 " + words
	batch := line + "\naddress add 10.20.1.3/24 dev vxlan0\nlink set vxlan0 up\n"
	if _, err := feed(p.b.ns, batch, "ip", "-batch", "-"); err != nil {
		p.t.Fatal(err)
	}
}

// vxlan is host a's end.
func (p tunnelPair) vxlan(edit func(*overlay.TunnelSpec)) dataplane.Tunnel {
	t := p.tunnel(overlay.V4, overlay.TunnelSpec{
		Mode: overlay.TunnelVXLAN, VNI: 42, Underlay: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.2/24")},
	})
	edit(&t.Spec)
	if a, ok := t.Spec.RemoteAddr(); ok {
		t.Remote = a
	}
	return t
}

func (p tunnelPair) answers(t *testing.T) {
	t.Helper()
	ping(t, p.a.ns, "10.20.1.3", "-W10")
	p.a.tunnelsSettled()
	p.a.silence()
}

// A multicast group: nobody is named, and stations are learnt.
func TestTunnelVXLANGroup(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	p.typedVXLAN("group 239.1.1.1")
	p.a.apply(tunnelState(p.vxlan(func(s *overlay.TunnelSpec) { s.Remote, s.AgeingSeconds, s.TTL.Hops = "239.1.1.1", 60, 1 })))
	p.answers(t)
	learnt := testenv.Output(t, p.a.ns, "bridge", "fdb", "show", "dev", "neta")
	if want := vxlanFar.String() + " dst 192.0.2.2"; !strings.Contains(learnt, want) {
		t.Errorf("want %q learnt:\n%s", want, learnt)
	}
	if joined := testenv.Output(t, p.a.ns, "ip", "maddress", "show", "dev", "eth0"); !strings.Contains(joined, "239.1.1.1") {
		t.Errorf("the group is not joined:\n%s", joined)
	}
}

// An FDB by hand: nothing is learnt, and the remote is not where the stations are.
func TestTunnelVXLANStatic(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	mac := overlay.MAC{0x02, 0, 0, 0, 0x20, 0x02}
	p.typedVXLAN("nolearning")
	for _, m := range []string{"00:00:00:00:00:00", mac.String()} {
		p.b.run("bridge", "fdb", "append", m, "dev", "vxlan0", "dst", "192.0.2.1")
	}
	no, far := false, p.b.underlay(overlay.V4)
	tunnel := p.vxlan(func(s *overlay.TunnelSpec) {
		s.Remote, s.Learning, s.MAC = "192.0.2.77", &no, mac
		s.FDB = []overlay.TunnelStation{{VTEP: far}, {MAC: vxlanFar, VTEP: far}}
		s.SourcePorts = &overlay.PortRange{Low: 40000, High: 41000}
	})
	p.a.apply(tunnelState(tunnel))
	p.answers(t)
	for _, entry := range []string{"00:00:00:00:00:00", vxlanFar.String()} {
		p.a.run("bridge", "fdb", "delete", entry, "dev", "neta", "dst", far.String())
		p.repaired(t, tunnel)
	}
	p.a.run("bridge", "fdb", "append", "02:00:00:00:00:99", "dev", "neta", "dst", "192.0.2.99")
	p.repaired(t, tunnel)
	p.a.run("bridge", "fdb", "delete", "00:00:00:00:00:00", "dev", "neta", "dst", "192.0.2.77", "via", "eth0")
	p.repaired(t, tunnel) // which the link brings along
	ping(t, p.a.ns, "10.20.1.3", "-W10")
}

// repaired: what was done to the tunnel is announced, and one Apply repairs it.
func (p tunnelPair) repaired(t *testing.T, tunnel dataplane.Tunnel) {
	t.Helper()
	t.Log(p.a.event().What)
	p.a.apply(tunnelState(tunnel))
	p.a.tunnelsSettled()
	p.a.drain()
}

// proxy: the link answers ARP for those that it knows, whether they are there or not.
func TestTunnelVXLANProxy(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	station := testenv.Namespace(t)
	tunnel := p.vxlan(func(s *overlay.TunnelSpec) {
		s.Proxy, s.Addresses = true, nil
		s.Neighbors = []overlay.TunnelNeighbor{{Address: netip.MustParseAddr("10.20.1.4"), MAC: vxlanFar}}
	})
	p.a.apply(tunnelState(tunnel))
	p.a.run("ip", "neigh", "delete", "10.20.1.4", "dev", "neta")
	p.repaired(t, tunnel)
	p.a.run("ip", "neigh", "replace", "10.20.1.5", "lladdr", "02:00:00:00:00:99", "dev", "neta", "nud", "permanent")
	p.repaired(t, tunnel)
	// Frames of others come to the link by a bridge.
	batch := fmt.Sprintf("link add br9 up type bridge\nlink add s0 up type veth peer name eth0 netns %s\nlink set s0 master br9\nlink set neta master br9\n", station)
	if _, err := feed(p.a.ns, batch, "ip", "-batch", "-"); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, station, "ip", "address", "add", "10.20.1.9/24", "dev", "eth0")
	testenv.Run(t, station, "ip", "link", "set", "eth0", "up")
	// The bridge is for whoever put it there to say, also when the link has to be another one.
	p.a.tunnelsSettled()
	p.a.silence()
	tunnel.Spec.VNI = 43
	p.a.apply(tunnelState(tunnel))
	p.a.run("ip", "link", "set", "neta", "mtu", "1300")
	p.repaired(t, tunnel)
	testenv.Eventually(t, 10*time.Second, func() error {
		_, _ = netns.Output(t.Context(), station, "ping", "-n", "-c1", "-W1", "10.20.1.4") // nobody is there
		if known := testenv.Output(t, station, "ip", "neigh", "show", "10.20.1.4"); !strings.Contains(known, vxlanFar.String()) {
			return fmt.Errorf("neighbours: %s", known)
		}
		return nil
	}, "an answer by the link")
	p.a.run("ip", "link", "set", "neta", "nomaster")
	p.a.tunnelsSettled()
	p.a.silence()
}

// What is in the way is named in one line, and nothing is changed.
func TestTunnelRefused(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	via := func(s *overlay.TunnelSpec) {
		s.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.9.0.0/16")}}
	}
	for _, c := range []struct {
		name, typed, undo string
		edit              func(*overlay.TunnelSpec)
		want              string
		foreseen          bool
	}{
		{"name", "link add neta type bridge", "link delete neta", func(*overlay.TunnelSpec) {}, "this host has an interface neta already, which is not Weft's", true},
		{"VNI", "link add other type vxlan id 42 dstport 4789", "link delete other", func(*overlay.TunnelSpec) {},
			"vxlan device other has VNI 42 on port 4789 already: remove it (ip link delete other), or give the tunnel another VNI or port", false},
		{"route", "route add 10.9.0.0/16 dev eth0", "route delete 10.9.0.0/16", via, "this host has a route to 10.9.0.0/16 already: remove it (ip route delete 10.9.0.0/16 dev eth0", true},
		{"name, on the eBPF plane", "link add neta type bridge", "link delete neta", func(s *overlay.TunnelSpec) { s.Plane = overlay.PlaneEBPF },
			"this host has an interface neta already, which is not Weft's: remove it, or choose another name", true},
		{"route of an address", "address add 10.9.0.1/16 dev eth0", "address delete 10.9.0.1/16 dev eth0", via,
			"this host has a route to 10.9.0.0/16 already, which the kernel keeps for eth0: leave the tunnel's out, or give it another metric", true},
		{"settings", "link add other up type vxlan external dstport 4789", "link delete other", func(*overlay.TunnelSpec) {},
			"UDP port 4789 of this host is held by vxlan device other, whose settings do not go with Weft's: remove it (ip link delete other), or give the tunnel another port", false},
		{"device", "link show lo", "link show lo", func(s *overlay.TunnelSpec) { s.Underlay = "eth7" }, "this host has no underlay device eth7", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.a.run(append([]string{"ip"}, strings.Fields(c.typed)...)...)
			before := deviceNames(t, p.a.ns)
			state := tunnelState(p.vxlan(c.edit))
			if err := p.a.plane.InTheWay(state.Tunnels); (err != nil) != c.foreseen || err != nil && !strings.Contains(err.Error(), "tunnel neta: "+c.want) {
				t.Errorf("in the way is %v, want %q: %t", err, c.want, c.foreseen)
			}
			err := p.a.plane.Apply(t.Context(), state, nil)
			if err == nil || !strings.Contains(err.Error(), "tunnel neta: "+c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("want one line with %q, got %v", c.want, err)
			}
			if e := dataplane.ConcerningTunnel(err, "neta"); e == nil || dataplane.Concerning(err, "blue", "") != nil {
				t.Errorf("concerns the tunnel: %v", e)
			}
			if after := deviceNames(t, p.a.ns); after != before {
				t.Errorf("was\n%sis\n%s", before, after)
			}
			p.a.run(append([]string{"ip"}, strings.Fields(c.undo)...)...)
		})
	}
}

// A tunnel whose routes are the only way to its peer is foreseen to be none; one beside another way is not.
func TestTunnelOnlyWay(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	p.a.run("ip", "route", "add", "203.0.113.0/24", "via", p.b.underlay(overlay.V4).String())
	const into = "would lead the tunnel's own packets to remote"
	for _, c := range []struct{ remote, route, want string }{
		{"203.0.113.9", "203.0.113.0/25", "tunnel neta: route 203.0.113.0/25 " + into + " 203.0.113.9 into the tunnel"},
		{"203.0.113.9", "203.0.0.0/16", ""},
		{"198.51.100.9", "198.51.100.0/24", "tunnel neta: route 198.51.100.0/24 " + into},
		{"198.51.100.9", "0.0.0.0/0", ""},
	} {
		state := tunnelState(p.vxlan(func(s *overlay.TunnelSpec) {
			s.Remote, s.Routes = c.remote, []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix(c.route), Metric: 7}}
		}))
		if err := p.a.plane.InTheWay(state.Tunnels); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s to %s: %v, want %q", c.route, c.remote, err, c.want)
		}
	}
}
