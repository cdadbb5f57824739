package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/plan"
)

// attachment is a tunnel to the peer that is a part of a network on the eBPF plane. In a bridged
// one the peer is a station, in a routed one it has an address of its own behind the tunnel.
type attachment struct {
	kind   overlay.NetworkKind
	mode   overlay.TunnelMode
	over   overlay.Family
	inside []overlay.Family
	// link is the end of "ip link add" at the peer, before is what else it takes.
	link, before string
	options      func(*overlay.TunnelSpec)

	number   int // from 1
	workload string
}

// attachments are what people type at the other side.
var attachments = []attachment{
	{kind: overlay.Bridged, mode: overlay.TunnelGRETAP, over: v4, inside: families, link: "type gretap ikey 0x111111 okey 0x222222", options: greKeys},
	{kind: overlay.Bridged, mode: overlay.TunnelVXLAN, over: v6, inside: families,
		link: "type vxlan id 77 dstport 4789 udp6zerocsumrx udp6zerocsumtx", options: func(s *overlay.TunnelSpec) { s.VNI = 77 }},
	{kind: overlay.Bridged, mode: overlay.TunnelGeneve, over: v4, inside: families, link: "type geneve id 78", options: func(s *overlay.TunnelSpec) { s.VNI = 78 }},
	{kind: overlay.Routed, mode: overlay.TunnelGRE, over: v4, inside: families, link: "type gre"},
	{kind: overlay.Routed, mode: overlay.TunnelGRE, over: v6, inside: families,
		link: "type ip6gre ikey 0x111111 okey 0x222222 icsum ocsum iseq oseq encaplimit none", options: slowGRE},
	{kind: overlay.Routed, mode: overlay.TunnelIPIP, over: v4, inside: families[:1], link: "type ipip"},
	{kind: overlay.Routed, mode: overlay.TunnelSIT, over: v4, inside: families[1:], link: "type sit"},
	{kind: overlay.Routed, mode: overlay.TunnelUDP, over: v4, inside: families[:1], before: "ip fou add port 8285 ipproto 4",
		link: "type ipip encap fou encap-sport auto encap-dport 8285 noencap-csum", options: func(s *overlay.TunnelSpec) { s.TTL.Hops = 64 }},
}

func greKeys(s *overlay.TunnelSpec) {
	in, out := overlay.GREKey(0x222222), overlay.GREKey(0x111111)
	s.InKey, s.OutKey = &in, &out
}

// slowGRE has what makes programs see each packet.
func slowGRE(s *overlay.TunnelSpec) {
	greKeys(s)
	s.InChecksum, s.OutChecksum, s.InSequence, s.OutSequence = true, true, true, true
}

func (a attachment) String() string {
	return fmt.Sprintf("%s over %s in a %s network", a.mode, a.over, a.kind)
}

func (a attachment) network() overlay.NetworkName {
	return overlay.NetworkName(fmt.Sprintf("n%d", a.number))
}

func (a attachment) device() string { return fmt.Sprintf("site%d", a.number) }

// subnet is the network's, and here is the workload in it.
func (a attachment) subnet(f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(a.number)}), 16)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0, 3: byte(a.number)}), 64)
}

// nth is an address of a prefix.
func nth(p netip.Prefix, n byte) netip.Addr {
	b := p.Addr().AsSlice()
	b[len(b)-1] = n
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (a attachment) here(f overlay.Family) netip.Addr { return nth(a.subnet(f), 0x10) }

// behind is what the tunnel leads to in a routed network.
func (a attachment) behind(f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(a.number)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(a.number)}), 64)
}

// there is the peer.
func (a attachment) there(f overlay.Family) netip.Addr {
	if a.kind == overlay.Routed {
		return nth(a.behind(f), 2)
	}
	return nth(a.subnet(f), 0x11)
}

// resources are what is declared.
func (a attachment) resources() []overlay.Resource {
	n := overlay.NetworkSpec{VNI: overlay.VNI(0xabcd00 + a.number), Kind: a.kind, Plane: overlay.PlaneEBPF}
	e := overlay.EndpointSpec{
		Node: names[near], Port: overlay.PortSingle, MAC: overlay.MAC{2, 0, 0, 0, byte(a.number), 0x10}, Lifetime: overlay.Bound,
		Attach: overlay.Attach{Type: overlay.AttachNetns, Target: a.workload, Interface: "eth0"},
	}
	s := overlay.TunnelSpec{Node: names[near], Mode: a.mode, Device: a.device(), Remote: local(far, a.over).Addr().String()}
	if a.options != nil {
		a.options(&s)
	}
	var all []overlay.Resource
	for _, f := range families {
		n.Subnets, e.Addresses = append(n.Subnets, a.subnet(f)), append(e.Addresses, a.here(f))
		if a.kind == overlay.Bridged {
			continue
		}
		n.BlockBits4, n.BlockBits6 = 24, 120
		block := &overlay.Block{Spec: overlay.BlockSpec{Node: names[near], Prefix: netip.PrefixFrom(a.here(f), a.here(f).BitLen()-8).Masked()}}
		block.Meta = overlay.Meta{Name: overlay.BlockName(block.Spec.Prefix), Network: a.network()}
		e.Blocks = append(e.Blocks, block.Meta.Name)
		all = append(all, block)
		if slices.Contains(a.inside, f) {
			s.Routes = append(s.Routes, overlay.TunnelRoute{Prefix: a.behind(f)})
		}
	}
	return append(all,
		&overlay.Network{Meta: overlay.Meta{Name: string(a.network())}, Spec: n.Complete()},
		&overlay.Endpoint{Meta: overlay.Meta{Name: "workload", Network: a.network()}, Spec: e},
		&overlay.Tunnel{Meta: overlay.Meta{Name: "site", Network: a.network()}, Spec: s},
	)
}

// script has the peer make its side.
func (a attachment) script() string {
	text := fmt.Sprintf("%s\nip link add %s %s remote %s", a.before, a.device(), a.link, local(near, a.over).Addr())
	if a.mode != overlay.TunnelGeneve {
		text += fmt.Sprintf(" local %s", local(far, a.over).Addr())
	}
	text += fmt.Sprintf("\nip link set %s up\n", a.device())
	for _, f := range a.inside {
		within := a.subnet(f)
		if a.kind == overlay.Routed {
			within = a.behind(f)
		}
		text += fmt.Sprintf("ip address add %s/%d dev %s%s\n", a.there(f), within.Bits(), a.device(), map[overlay.Family]string{v6: " nodad"}[f])
		if a.kind == overlay.Routed {
			text += fmt.Sprintf("ip route add %s dev %s src %s\n", a.subnet(f), a.device(), a.there(f))
		}
	}
	return text
}

// attachedState is what Weft's host should forward.
func attachedState(t *testing.T, all []attachment) dataplane.State {
	t.Helper()
	var modes []string
	for _, m := range overlay.TunnelModes() {
		modes = append(modes, m.Over(v4), m.Over(v6))
	}
	s := overlay.NewSnapshot()
	resources := []overlay.Resource{&overlay.Node{Meta: overlay.Meta{Name: string(names[near])}, Spec: overlay.NodeSpec{
		Underlay: []netip.Prefix{local(near, v4), local(near, v6)}, UnderlayMTU: underlayMTU, VTEPMAC: overlay.VTEPMACFor(names[near]),
		Planes:      []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneUser},
		TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: modes, overlay.PlaneKernel: modes, overlay.PlaneUser: modes},
	}}}
	for _, a := range all {
		resources = append(resources, a.resources()...)
	}
	for _, r := range resources {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		s.Put(r)
	}
	want := plan.For(names[near], s)
	if len(want.Problems) > 0 {
		t.Fatalf("it cannot be: %v", want.Problems)
	}
	return want
}

// TestAttached: a machine is the other end of tunnels that are parts of networks on the eBPF plane.
// Pings, the largest packets and TCP pass both ways, what is too large is answered, and who says to
// be somebody else is not heard.
func TestAttached(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	b := newBed(t, newMachine)
	peer := b.partner.(*machine)
	all := slices.Clone(attachments)
	for i := range all {
		all[i].number, all[i].workload = i+1, testenv.Namespace(t)
		answerAll(t, all[i].workload)
	}
	want := attachedState(t, all)
	if err := b.weft.plane.Apply(context.Background(), want, nil); err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		t.Run(a.String(), func(t *testing.T) {
			n := want.Networks[a.network()]
			peer.Run(a.script())
			for _, f := range a.inside {
				a.converse(t, peer, min(n.MTU, n.Ports["tunnel/site"].Tunnel.MTU), f)
			}
			if a.kind == overlay.Routed {
				a.forge(t, b.weft, peer)
			}
			peer.Run("ip link delete " + a.device())
		})
	}
	seen, err := b.weft.plane.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range seen.Networks {
		if v.Wanted != v.Present || len(v.Differs) > 0 {
			t.Errorf("network %s has %d of %d objects: %q", name, v.Present, v.Wanted, v.Differs)
		}
	}
}

// converse: the peer speaks first, as nobody has heard of it. The sender of a packet that does not
// fit is told.
func (a attachment) converse(t *testing.T, peer *machine, mtu int, f overlay.Family) {
	t.Helper()
	for _, size := range []int{100, mtu} {
		peer.Run(fmt.Sprintf("ping -nq -c1 -i0.2 -w%.0f -Mdo -s%d %s", patience.Seconds(), size-headersOf[f], a.here(f)))
		if err := (echo{to: a.there(f), size: size}).ask(a.workload); err != nil {
			t.Errorf("over %s, %d bytes: %v", f, size, err)
		}
	}
	var told tooBig
	if err := (echo{to: a.there(f), size: mtu + 1}).ask(a.workload); !errors.As(err, &told) || told.mtu != mtu {
		t.Errorf("over %s, %d bytes: %v, want to be told an MTU of %d", f, mtu+1, err, mtu)
	}
	if _, err := transfer(a.workload, "eth0", a.there(f)); err != nil {
		t.Errorf("over %s: %v", f, err)
	}
}

// forge: the peer has its own addresses alone, and none of the network's.
func (a attachment) forge(t *testing.T, weft *host, peer *machine) {
	t.Helper()
	f := a.inside[0]
	forged := nth(a.subnet(f), 0x99)
	bits, flags := forged.BitLen(), map[overlay.Family]string{v6: " nodad"}[f]
	peer.Run(strings.Join([]string{
		fmt.Sprintf("ip address add %s/%d dev %s%s", forged, bits, a.device(), flags),
		fmt.Sprintf("! ping -nq -c1 -W1 -I %s %s", forged, a.here(f)),
	}, "\n"))
	seen, err := weft.plane.Observe(context.Background(), a.network())
	if err != nil {
		t.Fatal(err)
	}
	if seen.Networks[a.network()].Drops[overlay.DropSpoofedIP] == 0 {
		t.Error("what the peer has forged was not dropped as that")
	}
}
