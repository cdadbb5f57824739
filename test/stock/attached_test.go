package stock

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/plan"
)

// attachment is a tunnel to the peer that is a part of a network on the eBPF plane: in a bridged
// one the peer is a station of it, in a routed one it has addresses of its own behind the tunnel.
type attachment struct {
	network
	mode    overlay.TunnelMode
	under   overlay.Family
	options func(*overlay.TunnelSpec)
}

const theirGREKeys = " ikey 0x111111 okey 0x222222"

func greKeys(s *overlay.TunnelSpec) {
	in, out := overlay.GREKey(0x222222), overlay.GREKey(0x111111)
	s.InKey, s.OutKey = &in, &out
}

// slowGRE has what makes programs see each packet.
func slowGRE(s *overlay.TunnelSpec) {
	greKeys(s)
	s.InChecksum, s.OutChecksum, s.InSequence, s.OutSequence = true, true, true, true
}

func vni77(s *overlay.TunnelSpec) { s.VNI = 77 }

func vni78(s *overlay.TunnelSpec) { s.VNI = 78 }

// attachments are what people type at the other side.
func attachments() []attachment {
	of := func(kind overlay.NetworkKind, mode overlay.TunnelMode, under overlay.Family, link string, options func(*overlay.TunnelSpec)) attachment {
		return attachment{network{device: device{kind: kind, link: link}}, mode, under, options}
	}
	all := []attachment{
		of(overlay.Bridged, overlay.TunnelGRETAP, v4, "type gretap"+ends+theirGREKeys, greKeys),
		of(overlay.Bridged, overlay.TunnelVXLAN, v6, "type vxlan id 77 dstport 4789"+ends+zeroChecksum, vni77),
		of(overlay.Bridged, overlay.TunnelGeneve, v4, "type geneve id 78 remote $weft", vni78),
		of(overlay.Routed, overlay.TunnelGRE, v4, "type gre"+ends, nil),
		of(overlay.Routed, overlay.TunnelGRE, v6, "type ip6gre"+ends+theirGREKeys+" icsum ocsum iseq oseq encaplimit none", slowGRE),
		of(overlay.Routed, overlay.TunnelIPIP, v4, "type ipip"+ends, nil),
		of(overlay.Routed, overlay.TunnelSIT, v4, "type sit"+ends, nil),
	}
	for i := range all {
		all[i].number = i + 1
	}
	return all
}

func (a attachment) String() string {
	return fmt.Sprintf("%s over %s in a %s network", a.mode, a.under, a.kind)
}

// inside are the families that both the network and the tunnel carry.
func (a attachment) inside() (all []overlay.Family) {
	for _, f := range []overlay.Family{v4, v6} {
		if a.mode.Carries(f) {
			all = append(all, f)
		}
	}
	return all
}

// site is what is behind the tunnel in a routed network, with the peer's address.
func (a attachment) site(f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(a.number), 2}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x99, 3: byte(a.number), 15: 2}), 64)
}

// there is the peer's address.
func (a attachment) there(f overlay.Family) netip.Addr {
	if a.kind == overlay.Routed {
		return a.site(f).Addr()
	}
	return a.address(1, f)
}

// resources are what the registry has: the network with one endpoint, and the tunnel.
func (a attachment) resources() []overlay.Resource {
	a.e, a.plane = overlay.EncapVXLAN, overlay.PlaneEBPF
	var all []overlay.Resource
	for _, r := range a.network.resources() {
		if e, ok := r.(*overlay.Endpoint); !ok || e.Spec.Node == names[0] {
			all = append(all, r)
		}
	}
	s := overlay.TunnelSpec{Node: names[0], Mode: a.mode, Device: a.dev(), Remote: local(1, a.under).Addr().String()}
	if a.options != nil {
		a.options(&s)
	}
	for _, f := range a.inside() {
		if a.kind == overlay.Routed {
			s.Routes = append(s.Routes, overlay.TunnelRoute{Prefix: a.site(f).Masked()})
		}
	}
	return append(all, &overlay.Tunnel{Meta: overlay.Meta{Name: "site", Network: a.name()}, Spec: s})
}

// script has the peer make its side.
func (a attachment) script() string {
	text := fmt.Sprintf("ip link add %s %s\n", a.dev(), strings.NewReplacer(
		"$local", local(1, a.under).Addr().String(), "$weft", local(0, a.under).Addr().String()).Replace(a.link))
	routes := ""
	for _, f := range a.inside() {
		prefix := netip.PrefixFrom(a.there(f), a.subnet(f).Bits())
		if a.kind == overlay.Routed {
			prefix = a.site(f)
			routes += fmt.Sprintf("ip route add %s dev %s src %s\n", a.subnet(f), a.dev(), a.there(f))
		}
		text += fmt.Sprintf("ip address add %s dev %s%s\n", prefix, a.dev(), map[overlay.Family]string{v6: " nodad"}[f])
	}
	return text + "ip link set " + a.dev() + " up\n" + routes
}

// attachedState is what Weft's host should forward.
func attachedState(t *testing.T, all []attachment) dataplane.State {
	t.Helper()
	s := overlay.NewSnapshot()
	resources := []overlay.Resource{&overlay.Node{Meta: overlay.Meta{Name: string(names[0])}, Spec: overlay.NodeSpec{
		Underlay: []netip.Prefix{local(0, v4), local(0, v6)}, UnderlayMTU: underlayMTU, VTEPMAC: overlay.VTEPMACFor(names[0]),
		Planes:      []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel},
		TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: {"gre", "gre6", "gretap", "ipip", "sit", "vxlan6", "geneve"}},
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
	want := plan.For(names[0], s)
	if len(want.Problems) > 0 {
		t.Fatalf("the networks cannot be: %v", want.Problems)
	}
	return want
}

// TestAttached: the kernel's own devices are the other ends of tunnels that are parts of networks
// on the eBPF plane. Pings, the largest packets and TCP pass both ways, what is too large is
// answered, and who says to be somebody else is not heard.
func TestAttached(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	host := newHost(t)
	p := newMachinePeer(t, host)
	connect(t, host, p)
	all := attachments()
	for i := range all {
		all[i].workload = testenv.Namespace(t)
	}
	plane, want := newPlane(t, host), attachedState(t, all)
	if err := plane.Apply(context.Background(), want, nil); err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		t.Run(a.String(), func(t *testing.T) {
			p.Run(a.script())
			for _, f := range a.inside() {
				if a.kind == overlay.Bridged { // an address of it is in no registry, and the station has yet to be heard
					p.Run(pingCommand(100) + a.address(0, f).String())
				}
				a.sizes(t, p, want.Networks[a.name()], f)
				talker{a.workload, "eth0", a.there(f), true}.transfer(t)
			}
		})
	}
	t.Run("spoofed", func(t *testing.T) { all[3].spoofs(t, p, plane) })
	seen, err := plane.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range seen.Networks {
		if v.Wanted != v.Present || len(v.Differs) > 0 {
			t.Errorf("network %s has %d of %d objects: %q", name, v.Present, v.Wanted, v.Differs)
		}
	}
}

// sizes: the largest packet passes both ways, and the sender of a larger one is told.
func (a attachment) sizes(t *testing.T, p peer, n dataplane.Network, f overlay.Family) {
	t.Helper()
	mtu := min(n.MTU, n.Ports["tunnel/site"].Tunnel.MTU)
	for _, size := range []int{100, mtu} {
		testenv.Run(t, a.workload, "sh", "-c", pingCommand(size-headersOf[f])+a.there(f).String())
		p.Run(pingCommand(size-headersOf[f]) + a.address(0, f).String())
	}
	larger := fmt.Sprintf("! ping -n -c1 -W2 -Mdo -s%d %s 2>&1", mtu+1-headersOf[f], a.there(f))
	out := testenv.Output(t, a.workload, "sh", "-c", larger)
	if want := fmt.Sprintf("mtu=%d", mtu); !strings.Contains(strings.NewReplacer("mtu: ", "mtu=", "mtu = ", "mtu=").Replace(out), want) {
		t.Errorf("a packet of %d bytes: want %q, got %s", mtu+1, want, out)
	}
}

// spoofs: the peer has its own addresses alone, and none of the network's.
func (a attachment) spoofs(t *testing.T, p peer, plane dataplane.Plane) {
	forged := netip.AddrFrom4([4]byte{10, byte(a.number), 9, 9})
	p.Run("ip address add " + forged.String() + "/32 dev lo")
	p.Run("! ping -nq -c1 -W1 -I " + forged.String() + " " + a.address(0, v4).String())
	seen, err := plane.Observe(context.Background(), a.name())
	if err != nil {
		t.Fatal(err)
	}
	if n := seen.Networks[a.name()].Drops[overlay.DropSpoofedIP]; n == 0 {
		t.Error("nothing was dropped")
	}
}
