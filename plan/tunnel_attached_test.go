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
