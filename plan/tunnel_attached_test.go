package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/overlay"
)

// attachedTo is what node a makes of a network that tunnels are attached to, node b being a
// member of it, too.
func attachedTo(t *testing.T, kind overlay.NetworkKind, plane overlay.PlaneName, tunnels ...*overlay.Tunnel) dataplane.State {
	t.Helper()
	s := overlay.NewSnapshot()
	all := []overlay.Resource{&overlay.Network{Meta: overlay.Meta{Name: "blue"}, Spec: overlay.NetworkSpec{
		VNI: 7, Kind: kind, Plane: plane, Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/16")},
	}.Complete()}}
	for _, name := range []string{"a", "b"} {
		address := map[string]string{"a": "192.0.2.1/24", "b": "192.0.2.2/24"}[name]
		all = append(all, &overlay.Node{Meta: overlay.Meta{Name: name}, Spec: overlay.NodeSpec{
			Underlay: []netip.Prefix{netip.MustParsePrefix(address)}, UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor(overlay.NodeName(name)),
			Planes:      []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneUser},
			TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: {"gre", "gretap", "vxlan"}, overlay.PlaneKernel: {"gre", "gretap", "vxlan"}, overlay.PlaneUser: {"udp"}},
		}})
	}
	for _, r := range tunnels {
		r.Network = "blue"
		if r.Spec.Remote == "" {
			r.Spec.Remote = "192.0.2.9"
		}
		all = append(all, r)
	}
	for _, r := range all {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		s.Put(r)
	}
	return For("a", s)
}

func tunnelResource(name string, spec overlay.TunnelSpec) *overlay.Tunnel {
	if spec.Node == "" {
		spec.Node = "a"
	}
	return &overlay.Tunnel{Meta: overlay.Meta{Name: name}, Spec: spec}
}

// A tunnel in a network is on the network's plane; mode udp is the user plane's. What a plane
// cannot do is refused by name.
func TestAttachedTunnelPlane(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind  overlay.NetworkKind
		plane overlay.PlaneName
		spec  overlay.TunnelSpec
		want  overlay.PlaneName
		err   string
	}{
		"bridged, ebpf":        {overlay.Bridged, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelGRETAP}, overlay.PlaneEBPF, ""},
		"bridged, kernel":      {overlay.Bridged, overlay.PlaneKernel, overlay.TunnelSpec{Mode: overlay.TunnelGRETAP}, overlay.PlaneKernel, ""},
		"routed, ebpf":         {overlay.Routed, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelGRE}, overlay.PlaneEBPF, ""},
		"checksums":            {overlay.Routed, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelGRE, OutChecksum: true}, overlay.PlaneEBPF, ""},
		"datagrams":            {overlay.Routed, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelUDP}, overlay.PlaneUser, ""},
		"datagrams and kernel": {overlay.Routed, overlay.PlaneKernel, overlay.TunnelSpec{Mode: overlay.TunnelUDP}, overlay.PlaneUser, ""},
		"a group": {overlay.Bridged, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, VNI: 9, Remote: "239.1.1.1", Underlay: "eth0"}, "",
			"plane ebpf does not do learning by multicast; plane kernel does it: weft node migrate-plane a blue --to kernel"},
		"another plane": {overlay.Bridged, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelGRETAP, Plane: overlay.PlaneKernel}, "", "it wants plane kernel"},
		"frames routed": {overlay.Routed, overlay.PlaneEBPF, overlay.TunnelSpec{Mode: overlay.TunnelGRETAP}, "", "cannot be attached to a routed network"},
	} {
		want := attachedTo(t, tt.kind, tt.plane, tunnelResource("out", tt.spec))
		p := want.Networks["blue"].Ports["tunnel/out"]
		said := slices.ContainsFunc(want.Problems["blue"], func(p string) bool { return tt.err != "" && strings.Contains(p, tt.err) })
		if said != (tt.err != "") || (p.Tunnel == nil) != said || p.Tunnel != nil && p.Tunnel.Spec.Plane != tt.want {
			t.Errorf("%s: %+v, problems %q", name, p, want.Problems["blue"])
		}
	}
}

// Of two tunnels to one prefix a node takes its own, or both nodes would send what is for it to each
// other.
func TestAttachedTunnelsToOnePrefix(t *testing.T) {
	t.Parallel()
	site := netip.MustParsePrefix("10.99.0.0/24")
	routes := []overlay.TunnelRoute{{Prefix: site}}
	theirs := tunnelResource("one", overlay.TunnelSpec{Node: "b", Mode: overlay.TunnelGRE, Routes: routes})
	own := tunnelResource("two", overlay.TunnelSpec{Mode: overlay.TunnelGRE, Routes: routes})
	elsewhere := tunnelResource("three", overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "192.0.2.10"})
	if n := attachedTo(t, overlay.Routed, overlay.PlaneEBPF, theirs, elsewhere).Networks["blue"]; n.Routes[site].Node != "b" {
		t.Errorf("the way to %s is %+v", site, n.Routes[site])
	}
	n := attachedTo(t, overlay.Routed, overlay.PlaneEBPF, theirs, own).Networks["blue"]
	if r, ok := n.Routes[site]; ok || n.Ports["tunnel/two"].Tunnel == nil {
		t.Errorf("the way to %s is %+v", site, r)
	}
}

// Of two tunnels that cannot be told apart one is left out, whatever network each is attached to:
// the one whose peer has a name, which stands for the other's address. It says who is in its way, and
// is there when the name stands for something else.
func TestAttachedTunnelsApart(t *testing.T) {
	t.Parallel()
	alone := tunnelResource("alone", overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "192.0.2.9"})
	for name, tt := range map[string]struct {
		spec, other overlay.TunnelSpec
		network     overlay.NetworkName // of the other
		by          string              // empty: both are there
	}{
		"beside one that stands alone": {spec: overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "peer.test"}, other: alone.Spec, by: "tunnel other (gre from 192.0.2.1 to 192.0.2.9)"},
		"beside one of a network":      {spec: overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "peer.test"}, other: alone.Spec, network: "green", by: "tunnel green/other"},
		"by another node":              {spec: overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "peer.test"}, other: overlay.TunnelSpec{Node: "b", Mode: overlay.TunnelGRE, Remote: "192.0.2.9"}},
		"to another peer":              {spec: overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "peer.test"}, other: overlay.TunnelSpec{Mode: overlay.TunnelGRE, Remote: "192.0.2.8"}},
	} {
		s := overlay.NewSnapshot()
		p := NewPlanner("a")
		other := tunnelResource("other", tt.other)
		other.Network = tt.network
		mine := tunnelResource("mine", tt.spec)
		mine.Network = "blue"
		all := []overlay.Resource{
			&overlay.Network{Meta: overlay.Meta{Name: "blue"}, Spec: overlay.NetworkSpec{VNI: 7, Kind: overlay.Routed, Plane: overlay.PlaneEBPF, Subnets: prefixes("10.7.0.0/16")}.Complete()},
			&overlay.Network{Meta: overlay.Meta{Name: "green"}, Spec: overlay.NetworkSpec{VNI: 8, Kind: overlay.Routed, Plane: overlay.PlaneEBPF, Subnets: prefixes("10.8.0.0/16")}.Complete()},
			&overlay.Node{Meta: overlay.Meta{Name: "a"}, Spec: overlay.NodeSpec{
				Underlay: prefixes("192.0.2.1/24"), UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor("a"), Planes: []overlay.PlaneName{overlay.PlaneEBPF},
				TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: {"gre"}},
			}},
			mine, other,
		}
		for _, r := range all {
			s.Put(r)
			p.Put(r)
		}
		p.Plan()
		at := mine.Key()
		for _, peer := range []string{"192.0.2.9", "192.0.2.7"} {
			found := overlay.TunnelPath{Remote: netip.MustParseAddr(peer)}
			s.Paths[at] = found
			p.SetPath(at, found)
			p.Plan()
			for from, state := range map[string]dataplane.State{"For": For("a", s), "Planner": p.State()} {
				n := state.Networks["blue"]
				there, said := n.Ports["tunnel/mine"].Tunnel != nil, strings.Join(state.Problems["blue"], "\n")
				left := tt.by != "" && peer == "192.0.2.9"
				if there == left || (said != "") != left || left && !strings.Contains(said, tt.by) {
					t.Errorf("%s, peer %s, %s: there %v, problems %q", name, peer, from, there, said)
				}
				if tt.network == "" && tt.other.Node == "a" && len(state.Tunnels) != 1 {
					t.Errorf("%s, %s: the other one is left out: %q", name, from, state.TunnelProblems)
				}
			}
		}
	}
}
