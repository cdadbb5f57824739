package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/internal/testenv/vm"
	"weft/overlay"
)

// tunnelCase is a tunnel as it is declared on host a, and typed on host b.
type tunnelCase struct {
	name   string
	family overlay.Family
	spec   overlay.TunnelSpec
	// hand is what ip link add gets on b, behind the name; {L} and {R} are its addresses.
	hand string
	// shows is what ip -d link says of a's link, words that are all there.
	shows string
	// inner are the families that pass.
	inner []overlay.Family
	// another: b's end has an address of its own.
	another bool
}

var bothFamilies = []overlay.Family{overlay.V4, overlay.V6}

func key(k overlay.GREKey) *overlay.GREKey { return &k }

// greOptions are all that GRE has (the second article's).
func everyGREOption(m overlay.TunnelMode) overlay.TunnelSpec {
	return overlay.TunnelSpec{
		Mode: m, TTL: overlay.TTL{Hops: 255}, TOS: overlay.TOS{Fixed: true, Value: 0x10}, InKey: key(0x111111), OutKey: key(0x222222),
		InChecksum: true, OutChecksum: true, InSequence: true, OutSequence: true,
	}
}

// withMAC has an interface with a MAC of its own.
func withMAC(s overlay.TunnelSpec) overlay.TunnelSpec {
	s.MAC = overlay.MAC{0x02, 0, 0, 0, 0x77, 0x01}
	return s
}

// stockTunnels are those that this machine's kernel may lack.
func stockTunnels() []tunnelCase {
	const theirs = "ikey 0x222222 okey 0x111111 csum seq"
	return []tunnelCase{
		{"gre", overlay.V4, overlay.TunnelSpec{Mode: overlay.TunnelGRE}, "type gre local {L} remote {R} ttl 64",
			"gre remote 192.0.2.2 local 192.0.2.1 ttl 64 tos inherit", bothFamilies, false},
		{"gre, all options", overlay.V4, everyGREOption(overlay.TunnelGRE), "type gre local {L} remote {R} ttl 255 " + theirs,
			"ttl 255 tos 0x10 ikey 0.17.17.17 okey 0.34.34.34 iseq oseq icsum ocsum", bothFamilies, false},
		{"gre, may fragment", overlay.V4, overlay.TunnelSpec{Mode: overlay.TunnelGRE, NoPMTUDiscovery: true, InKey: key(8), OutKey: key(7)}, "type gre local {L} remote {R} ikey 7 okey 8",
			"ttl 64 nopmtudisc", bothFamilies, false},
		{"gretap", overlay.V4, withMAC(everyGREOption(overlay.TunnelGRETAP)), "type gretap local {L} remote {R} ttl 255 " + theirs,
			"gretap ikey 0.17.17.17 okey 0.34.34.34 iseq oseq icsum ocsum", bothFamilies, false},
		{"gre6", overlay.V6, everyGREOption(overlay.TunnelGRE), "type ip6gre local {L} remote {R} " + theirs,
			"ip6gre hoplimit 255 encaplimit none tclass 0x10 ikey 0.17.17.17 okey 0.34.34.34 iseq oseq icsum ocsum", bothFamilies, false},
		{"gretap6", overlay.V6, overlay.TunnelSpec{Mode: overlay.TunnelGRETAP}, "type ip6gretap local {L} remote {R} encaplimit none",
			"ip6gretap hoplimit 64 encaplimit none tclass inherit", bothFamilies, false},
		{"ipip", overlay.V4, overlay.TunnelSpec{Mode: overlay.TunnelIPIP, TTL: overlay.TTL{Hops: 255}}, "type ipip local {L} remote {R} ttl 255",
			"ipip remote 192.0.2.2 local 192.0.2.1 ttl 255 tos inherit", []overlay.Family{overlay.V4}, false},
		{"sit", overlay.V4, overlay.TunnelSpec{Mode: overlay.TunnelSIT}, "type sit local {L} remote {R} ttl 64",
			"sit remote 192.0.2.2 local 192.0.2.1 ttl 64 tos inherit", []overlay.Family{overlay.V6}, false},
		{"ipip6", overlay.V6, overlay.TunnelSpec{Mode: overlay.TunnelIPIP}, "type ip6tnl mode ipip6 local {L} remote {R}",
			"ip6tnl ipip6 hoplimit 64 encaplimit none tclass inherit", []overlay.Family{overlay.V4}, false},
		{"sit6", overlay.V6, overlay.TunnelSpec{Mode: overlay.TunnelSIT}, "type ip6tnl mode ip6ip6 local {L} remote {R}",
			"ip6tnl ip6ip6 hoplimit 64", []overlay.Family{overlay.V6}, true},
		{"geneve", overlay.V4, overlay.TunnelSpec{Mode: overlay.TunnelGeneve, VNI: 20, TTL: overlay.TTL{Inherit: true}}, "type geneve id 20 remote {R}",
			"geneve id 20 remote 192.0.2.2 ttl inherit tos inherit dstport 6081 udpcsum", bothFamilies, false},
		{"geneve6", overlay.V6, overlay.TunnelSpec{Mode: overlay.TunnelGeneve, VNI: 21}, "type geneve id 21 remote {R}",
			"geneve id 21 ttl 64 udp6zerocsumrx", bothFamilies, false},
	}
}

// addressesOf are inner addresses of the nth tunnel at a host's end.
func (c tunnelCase) addressesOf(n, host int) []netip.Prefix {
	var all []netip.Prefix
	for _, f := range c.inner {
		p := netip.MustParsePrefix("10.1.0.0/24")
		if f == overlay.V6 {
			p = netip.MustParsePrefix("fd10::/64")
		}
		b := p.Addr().AsSlice()
		b[2] = byte(n)
		b[len(b)-1] = byte(host + 1)
		all = append(all, netip.PrefixFrom(mustAddr(b), p.Bits()))
	}
	return all
}

// routesOf are routes through the nth tunnel.
func (c tunnelCase) routesOf(n int) (routes []overlay.TunnelRoute) {
	for _, p := range c.addressesOf(n, 1) {
		b := p.Addr().AsSlice()
		b[1]++ // the same, in the next network
		beyond, _ := mustAddr(b).Prefix(p.Bits())
		route := overlay.TunnelRoute{Prefix: beyond, Metric: 20}
		if c.spec.Mode.Ethernet() {
			route.Via = p.Addr()
		}
		routes = append(routes, route)
	}
	return routes
}

// manyTunnels are tunnels between two hosts, all at once: t0, t1, … on a, and p0, p1, … on b.
type manyTunnels struct {
	tunnelPair
	cases []tunnelCase
	state dataplane.State
}

func newManyTunnels(t *testing.T, cases []tunnelCase) manyTunnels {
	m := manyTunnels{newTunnelPair(t), cases, tunnelState()}
	for n, c := range cases {
		remote := m.b.underlay(c.family)
		if c.another { // the kernel has one tunnel between two addresses
			remote = netip.MustParseAddr("2001:db8:ffff::b")
			m.b.run("ip", "address", "add", remote.String()+"/64", "dev", "eth0", "nodad", "preferred_lft", "0")
		}
		m.typed(n, c, remote)
		c.spec.Addresses, c.spec.Routes = c.addressesOf(n, 0), c.routesOf(n)
		if c.spec.Mode.Ethernet() {
			c.spec.Neighbors = []overlay.TunnelNeighbor{{Address: netip.AddrFrom4([4]byte{10, 1, byte(n), 99}), MAC: vxlanFar}}
		}
		tunnel := m.tunnel(c.family, c.spec)
		tunnel.Name = overlay.TunnelName(fmt.Sprintf("t%d", n))
		tunnel.Spec.Device, tunnel.Remote = string(tunnel.Name), remote
		m.state.Tunnels[tunnel.Name] = tunnel
	}
	m.a.apply(m.state)
	return m
}

// typed types a far end on host b.
func (m manyTunnels) typed(n int, c tunnelCase, at netip.Addr) {
	m.t.Helper()
	device := fmt.Sprintf("p%d", n)
	words := strings.NewReplacer("{L}", at.String(), "{R}", m.a.underlay(c.family).String()).Replace(c.hand)
	lines := []string{"link add " + device + " mtu 1400 " + words}
	for _, a := range c.addressesOf(n, 1) {
		line := "address add " + a.String() + " dev " + device
		if a.Addr().Is6() {
			line += " nodad"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "link set "+device+" up")
	if _, err := feed(m.b.ns, strings.Join(lines, "\n"), "ip", "-batch", "-"); err != nil {
		m.t.Fatal(err)
	}
}

// reaches says whether packets come and go through the nth tunnel.
func (m manyTunnels) reaches(n int) error {
	for _, a := range m.cases[n].addressesOf(n, 1) {
		if _, err := netns.Output(context.Background(), m.a.ns, "ping", "-n", "-c1", "-W1", a.Addr().String()); err != nil {
			return err
		}
	}
	return nil
}

// reach waits until packets come and go through the nth tunnel.
func (m manyTunnels) reach(t *testing.T, n int) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, func() error { return m.reaches(n) }, "an answer through the tunnel")
}

// TestTunnelModes: what is declared talks to what is typed, and is as declared to the last
// option; what somebody does to it is repaired; and nothing is left in the end.
func TestTunnelModes(t *testing.T) {
	t.Parallel()
	vm.Each(t, []vm.Kernel{vm.Linux612}, vm.Options{Tools: []string{"nft", "nsenter", "sysctl"}}, func(t *testing.T) {
		t.Run("networks", testStockNetworks)
		t.Run("one tunnel of IPv6", testOneTunnelOfIPv6)
		m := newManyTunnels(t, stockTunnels())
		for n, c := range m.cases {
			t.Run(c.name, func(t *testing.T) {
				m.shows(t, n)
				m.reach(t, n)
				m.stream(t, n)
			})
		}
		m.a.tunnelsSettled()
		m.a.silence()
		t.Run("explained", m.explained)
		t.Run("wrong key", m.wrongKey)
		t.Run("bad checksum", m.badChecksum)
		t.Run("tampering", m.tampering)
		t.Run("another remote", m.anotherRemote)
		t.Run("down", m.down)
		t.Run("down after a kill", func(t *testing.T) { m.downAfterKills(t, "gretap", "sit6", "geneve6") })
		t.Run("over a VLAN", vlanUnderlay)
		t.Run("attached to a bridged network", func(t *testing.T) {
			tunnelAttachedBridged(t, overlay.TunnelSpec{Mode: overlay.TunnelGRETAP}, "type gretap local 192.0.2.2 remote 192.0.2.1")
		})
		t.Run("attached to a routed network", func(t *testing.T) {
			tunnelAttachedRouted(t, overlay.TunnelSpec{Mode: overlay.TunnelGRE, InKey: key(1), OutKey: key(2)}, "type gre local 192.0.2.2 remote 192.0.2.1 ikey 2 okey 1")
		})
	})
}

// shows looks at a link as ip shows it.
func (m manyTunnels) shows(t *testing.T, n int) {
	t.Helper()
	shown := " " + strings.Join(strings.Fields(testenv.Output(t, m.a.ns, "ip", "-d", "link", "show", fmt.Sprintf("t%d", n))), " ") + " "
	for _, w := range strings.Fields(m.cases[n].shows) {
		if !strings.Contains(shown, " "+w+" ") {
			t.Errorf("ip -d link does not say %q: %s", w, shown)
		}
	}
}
