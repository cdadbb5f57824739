package ebpf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/internal/testenv"
	"weft/overlay"
)

// onBothUnderlays has a network, and tunnels over IPv4 and over IPv6.
func onBothUnderlays() dataplane.State {
	s := stateWith("blue")
	s.Tunnels = aloneTunnels()
	for name, t := range tunnelsFrom(dataplanetest.Local(overlay.V6).Addr(), map[overlay.TunnelName]overlay.TunnelSpec{
		"six": {Mode: overlay.TunnelGeneve, VNI: 78},
	}) {
		t.Remote = t.Local.Next()
		t.Spec.Remote, t.Spec.Addresses, t.Spec.Neighbors = t.Remote.String(), nil, nil
		s.Tunnels[name] = t
	}
	return s
}

// A host that is no router any more, because the last tunnel with routes has gone, forwards on for
// the links of Weft's that need it: the kernel has reset them with the rest.
func TestHostIsNoRouterAnyMore(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	testenv.Run(t, b.on.Namespace, "sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
	is := func(want string) {
		t.Helper()
		got := testenv.Output(t, b.on.Namespace, "sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
		if strings.Join(strings.Fields(got), " ") != want {
			t.Errorf("the host forwards %q, want %q", got, want)
		}
	}
	without, with := onBothUnderlays(), onBothUnderlays()
	site := with.Tunnels["site"]
	site.Spec.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.50.0.0/16")}, {Prefix: netip.MustParsePrefix("fd50::/64")}}
	with.Tunnels["site"] = site
	b.apply(t, with)
	is("1 1")
	b.apply(t, without)
	is("0 0")
	b.settled(t)
	b.passes(t, "blue")
	b.answers(t, aloneTunnels())
}

// What somebody does to the host beside Weft's links, by which programs forward no more, is heard
// at once.
func TestTamperingWithTheHost(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := onBothUnderlays()
	b.apply(t, state)
	testenv.Run(t, b.on.Namespace, "ip", "link", "add", "theirs0", "type", "veth", "peer", "name", "theirs1")
	for _, c := range []struct{ name, line, seen string }{
		{"no router", "sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.ipv4.ip_forward=0", "forwarding=1"},
		{"no router of IPv6", "sysctl -qw net.ipv6.conf.all.forwarding=1; sysctl -qw net.ipv6.conf.all.forwarding=0", "forwarding=1"},
		{"a network's link", "sysctl -qw net.ipv4.conf." + gatewayDevice("blue") + ".forwarding=0", "forwarding=1"},
		{"a bridge", "ip link add theirs2 type bridge; ip link set theirs2 up", "no program on device"},
		{"another underlay device", "ip address add 198.51.100.1/24 dev theirs0", "no program on device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.quiet(t)
			testenv.Run(t, b.on.Namespace, "sh", "-ec", c.line)
			b.changed(t, c.seen)
			b.apply(t, state)
			b.settled(t)
			b.passes(t, "blue")
			b.answers(t, aloneTunnels())
		})
	}
}

// quiet takes what the plane has announced until now.
func (b *bed) quiet(t testing.TB) {
	t.Helper()
	for {
		select {
		case <-b.Plane.Events():
		case <-time.After(100 * time.Millisecond):
			return
		}
	}
}

// changed waits until the plane says that something has changed on the host, and what.
func (b *bed) changed(t testing.TB, what string) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		select {
		case e := <-b.Plane.Events():
			if e.Kind == dataplane.EventChanged && strings.Contains(e.What, what) {
				return
			}
		case <-deadline:
			t.Fatal("nothing is said of it")
		}
	}
}
