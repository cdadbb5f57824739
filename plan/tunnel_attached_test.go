package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/overlay"
)

// A network whose node forwards by programs has no tunnels attached to it, and says so.
func TestAttachedTunnelNeedsPlane(t *testing.T) {
	t.Parallel()
	for plane, refused := range map[overlay.PlaneName]bool{overlay.PlaneKernel: false, overlay.PlaneEBPF: true} {
		s := overlay.NewSnapshot()
		for _, r := range []overlay.Resource{
			&overlay.Node{Meta: overlay.Meta{Name: "a"}, Spec: overlay.NodeSpec{
				Underlay: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}, UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor("a"),
				Planes: []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel},
			}},
			&overlay.Network{Meta: overlay.Meta{Name: "blue"}, Spec: overlay.NetworkSpec{
				VNI: 7, Kind: overlay.Bridged, Plane: plane, Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")},
			}.Complete()},
			&overlay.Tunnel{Meta: overlay.Meta{Name: "out", Network: "blue"}, Spec: overlay.TunnelSpec{
				Node: "a", Mode: overlay.TunnelGRETAP, Remote: "192.0.2.9",
			}},
		} {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			s.Put(r)
		}
		want := For("a", s)
		said := slices.ContainsFunc(want.Problems["blue"], func(p string) bool { return strings.Contains(p, "weft node migrate-plane a blue --to kernel") })
		if said != refused || len(want.Networks["blue"].Ports) == 0 != refused {
			t.Errorf("on plane %s: ports %v, problems %q", plane, want.Networks["blue"].Ports, want.Problems["blue"])
		}
	}
}
