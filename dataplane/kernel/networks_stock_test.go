package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/encap"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// stockNetwork is a network whose links this machine's kernel may lack.
type stockNetwork struct {
	e     overlay.Encapsulation
	kind  overlay.NetworkKind
	under overlay.Family
	// inside is the one family that it carries; empty: both.
	inside overlay.Family
	// link is how its link to b is changed by hand.
	link string
}

func stockNetworks() []stockNetwork {
	const bridged, routed, v4, v6 = overlay.Bridged, overlay.Routed, overlay.V4, overlay.V6
	return []stockNetwork{
		{overlay.EncapGeneve, bridged, v6, "", "type geneve id 4097 remote 2001:db8:ffff::2 ttl 9"},
		{overlay.EncapGRE, bridged, v4, "", "type gretap okey 5"},
		{overlay.EncapGRE, routed, v6, "", "type ip6gre hoplimit 9"},
		{overlay.EncapIPIP, routed, v4, v4, "type ipip ttl 9"},
		{overlay.EncapSIT, routed, v6, v6, "type ip6tnl hoplimit 9"},
	}
}

// answers reports whether the network's links leave it to another one to answer what is too large.
func (s stockNetwork) answers() bool { return s.e == overlay.EncapGRE && s.kind == overlay.Bridged }

func (s stockNetwork) String() string { return fmt.Sprintf("%s %s over %s", s.kind, s.e, s.under) }

// edits make a network of vxlan such a one.
func (s stockNetwork) edits() []func(*dataplane.Network) {
	all := []func(*dataplane.Network){encapsulated(s.e)}
	if s.inside != "" {
		all = append(all, only(s.inside))
	}
	return all
}

// encapsulated has the network's packets cross the underlay in another way.
func encapsulated(e overlay.Encapsulation) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		room, err := encap.Overhead(e, n.Kind, overlay.FamilyOf(n.Local))
		if err != nil {
			panic(err) // of a kind that it does not carry
		}
		n.Encapsulation, n.Settings.Port, n.MTU = e, e.DefaultPort(), n.UnderlayMTU-room
	}
}

// in is the network on two hosts.
func (s stockNetwork) in(t *testing.T) testNet {
	t.Helper()
	n := newTestNet(t, 2, s.kind, s.under)
	like := node(s.kind, s.under, s.edits()...).Networks["blue"]
	local := n.spec.Local
	n.spec = like.Settings
	n.spec.Local, n.spec.Blocks = local, nil
	for i, h := range n.bed.hosts {
		h.apply(n.state(i))
		h.settled()
	}
	return n
}

// testStockNetworks holds networks of the kernel's other links to what those of vxlan are held to.
func testStockNetworks(t *testing.T) {
	for _, s := range stockNetworks() {
		t.Run(s.String(), func(t *testing.T) {
			n := s.in(t)
			n.seen(t, s)
			n.answersTooLarge(t)
			n.tampered(t, s)
			if s.e == overlay.EncapGeneve {
				n.misled(t)
			}
			if _, err := Down(context.Background(), n.bed.hosts[0].plane.Options); err != nil {
				t.Error(err)
			}
			if left, err := netns.List(n.bed.hosts[0].dir); err != nil || len(left) > 0 {
				t.Errorf("namespaces left: %v, %v", left, err)
			}
			if s.answers() || s.e == overlay.EncapSIT { // the others have nothing that these have not
				t.Run("explained", s.explained)
			}
		})
	}
}

// seen: what the plane says of the network is what there is.
func (n testNet) seen(t *testing.T, s stockNetwork) {
	t.Helper()
	for _, a := range n.endpoint(1).Addresses {
		if !a.IsLinkLocalUnicast() {
			ping(t, n.workloads[0], a.String(), "-W10")
		}
	}
	v, far := n.observed(t, 0), n.bed.hosts[1]
	if v.Present != v.Wanted || len(v.Differs) > 0 {
		t.Errorf("%d of %d, differs %q: want everything there", v.Present, v.Wanted, v.Differs)
	}
	vtep, uplink := far.underlay(s.under), nft.UplinkTo(far.name)
	at := slices.IndexFunc(v.Links, func(l dataplane.Link) bool { return l.Device == uplink })
	if at < 0 || v.Links[at].Tunnel == nil || !slices.Equal(v.Links[at].Tunnel.Remotes, []netip.Addr{vtep}) ||
		s.e.HasVNI() != (v.Links[at].Tunnel.VNI == n.spec.VNI) || s.e == overlay.EncapGeneve != (v.Links[at].Tunnel.Listening != "") {
		t.Errorf("links %+v: want %s, which leads to %s", v.Links, uplink, vtep)
	}
	mac := n.endpoint(1).MAC
	if s.kind == overlay.Bridged && !slices.ContainsFunc(v.FDB, func(e dataplane.FDBEntry) bool {
		return e.MAC == mac && e.VTEP == vtep && e.Node == far.name && e.Origin == dataplane.FromRegistry
	}) {
		t.Errorf("FDB %+v: want %s at %s", v.FDB, mac, vtep)
	}
	if s.kind == overlay.Routed && !slices.ContainsFunc(v.Routes, func(r dataplane.HostRoute) bool { return r.Node == far.name && r.Device == uplink }) {
		t.Errorf("routes %+v: want one to %s", v.Routes, far.name)
	}
	all, one := v.Traffic.Nodes, v.Nodes[0].Traffic
	if all == nil || one == nil || *all != *one || all.From.Packets == 0 || all.To.Packets == 0 {
		t.Errorf("traffic of all nodes %v, of %s %v: want some, and the same", all, v.Nodes[0].Node, one)
	}
}

// tampered: what somebody does to the links is announced, and repaired by one Apply.
func (n testNet) tampered(t *testing.T, s stockNetwork) {
	t.Helper()
	a := n.bed.hosts[0]
	a.drain()
	lines := []string{"ip link set to-b " + s.link, "ip link delete to-b"}
	if s.answers() {
		lines = append(lines, "tc filter delete dev to-b egress prio 2", "ip link delete "+answerLink)
	}
	for _, line := range lines {
		testenv.Run(t, string(DomainNS(a.dir, n.spec.Name)), strings.Fields(line)...)
		t.Log(line, "→", a.event().What)
		a.apply(n.state(0))
		a.settled()
		a.drain()
	}
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String(), "-W10")
}

// misled: it is said if the host's route has another source address than members take packets from.
func (n testNet) misled(t *testing.T) {
	t.Helper()
	a, to := n.bed.hosts[0], n.bed.hosts[1].underlay(overlay.V6).String()
	a.run("ip", "address", "add", "2001:db8:ffff::77/64", "dev", "eth0", "nodad")
	a.run("ip", "route", "add", to, "dev", "eth0", "src", "2001:db8:ffff::77")
	want := "geneve packets to node b leave from 2001:db8:ffff::77, and it takes them from 2001:db8:ffff::1 alone"
	if got := strings.Join(n.observed(t, 0).Differs, "\n"); !strings.Contains(got, want) {
		t.Errorf("%q: want %q", got, want)
	}
	a.run("ip", "route", "delete", to, "dev", "eth0")
}

// explained: the commands make what the plane makes.
func (s stockNetwork) explained(t *testing.T) {
	state := oracleState{kind: s.kind, underlay: s.under, edits: s.edits()}
	byPlane, byHand := newOracleHost(t, state, false), newOracleHost(t, state, true)
	byPlane.apply()
	rules := func(c string) bool { return strings.Contains(c, "nft '") } // no other than elsewhere
	if err := byHand.runFast(slices.DeleteFunc(byHand.explain(), rules)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, func() error {
		for _, tool := range []tool{ipTool, bridgeTool, tcTool} {
			want, err := byPlane.shown(tool)
			if err != nil {
				return err
			}
			got, err := byHand.shown(tool)
			if err != nil {
				return err
			}
			if err := want.difference(got); err != nil {
				return err
			}
		}
		return nil
	}, "the commands make what the plane makes")
}

// shown is what a tool shows of the host.
func (h *oracleHost) shown(t tool) (dump, error) {
	d, err := newDumper(h, whileSettling)
	if err != nil {
		return nil, err
	}
	return d.dump(t)
}

// testOneTunnelOfIPv6: the kernel has one link between two IPv6 addresses for both families inside; who
// comes second is told so.
func testOneTunnelOfIPv6(t *testing.T) {
	n := newTestNet(t, 2, overlay.Routed, overlay.V6)
	h := n.bed.hosts[0]
	four := n.edited(0, encapsulated(overlay.EncapIPIP), only(overlay.V4))
	six := n.edited(0, encapsulated(overlay.EncapSIT), only(overlay.V6), vni(8), noPorts).Networks["blue"]
	six.Name = "red"
	four.Networks["red"] = six
	err := h.plane.Apply(context.Background(), four, nil)
	want := "network red: network blue has an ip6tnl device from 2001:db8:ffff::1 to 2001:db8:ffff::2 already, and the kernel has one between two addresses, whatever is inside"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("want %q, got %v", want, err)
	}
	if dataplane.Concerning(err, "blue", "") != nil {
		t.Errorf("blue is as wanted, but %v", err)
	}
}
