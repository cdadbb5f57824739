package plan

import (
	"testing"

	"weft/overlay"
)

// A plane is not asked for what it does not do.
func TestPlaneForEncapsulation(t *testing.T) {
	t.Parallel()
	const geneve, ebpf, kernel, later = overlay.EncapGeneve, overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneName("later")
	for _, tt := range []struct {
		has   []overlay.PlaneName
		want  overlay.PlaneName
		encap overlay.Encapsulation
		plane overlay.PlaneName
		err   string
	}{
		{[]overlay.PlaneName{ebpf, kernel}, overlay.PlaneAuto, overlay.EncapVXLAN, ebpf, ""},
		{[]overlay.PlaneName{kernel, later}, overlay.PlaneAuto, geneve, later, ""},
		{[]overlay.PlaneName{kernel, ebpf}, overlay.PlaneAuto, geneve, ebpf, ""},
		{[]overlay.PlaneName{kernel, ebpf}, ebpf, overlay.EncapNone, ebpf, ""},
		{[]overlay.PlaneName{kernel, ebpf}, ebpf, geneve, ebpf, ""},
		{[]overlay.PlaneName{kernel, ebpf}, kernel, geneve, "", "has plane kernel, which the network asks for, but its kernel has no geneve device"},
		{[]overlay.PlaneName{kernel}, overlay.PlaneAuto, geneve, "", "has no plane for encapsulation geneve, but kernel (no tcx); its kernel has no geneve device"},
		{nil, ebpf, overlay.EncapVXLAN, "", "does not have plane ebpf, which the network asks for, but kernel (no tcx)"},
	} {
		n := &overlay.Node{Spec: overlay.NodeSpec{Planes: tt.has, Lacks: map[overlay.PlaneName]string{ebpf: "no tcx"}}}
		plane, err := planeOn(n, "blue", overlay.NetworkSpec{Plane: tt.want, Encapsulation: tt.encap}, "")
		said := ""
		if err != nil {
			plane, said = "", err.Error()
		}
		if plane != tt.plane || said != tt.err {
			t.Errorf("%s of %v for %s: %q, %q, want %q, %q", tt.want, tt.has, tt.encap, plane, said, tt.plane, tt.err)
		}
	}
}

// The kernel plane does what the node's kernel has a device for, over the network's underlay.
func TestPlaneOfDevices(t *testing.T) {
	t.Parallel()
	n := &overlay.Node{Spec: overlay.NodeSpec{TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneKernel: {"geneve", "gre", "gretap", "ipip6"}}}}
	for _, tt := range []struct {
		e     overlay.Encapsulation
		kind  overlay.NetworkKind
		under overlay.Family
		err   string
	}{
		{overlay.EncapGeneve, overlay.Bridged, overlay.V4, ""},
		{overlay.EncapGRE, overlay.Routed, overlay.V4, ""},
		{overlay.EncapIPIP, overlay.Routed, overlay.V6, ""},
		{overlay.EncapNone, overlay.Routed, overlay.V6, ""},
		{overlay.EncapGRE, overlay.Routed, overlay.V6, "has plane kernel but its kernel has no gre device over IPv6"},
		{overlay.EncapSIT, overlay.Routed, overlay.V4, "has plane kernel but its kernel has no sit device"},
		{overlay.EncapGRE, overlay.Bridged, overlay.V4, ""},
		{overlay.EncapGRE, overlay.Bridged, overlay.V6, "has plane kernel but its kernel has no gretap device over IPv6"},
		{overlay.EncapUDP, overlay.Routed, overlay.V4, "has plane kernel but that does not do encapsulation udp"},
	} {
		said := ""
		if err := Able(n, overlay.PlaneKernel, overlay.NetworkSpec{Encapsulation: tt.e, Kind: tt.kind, Underlay: tt.under}, ""); err != nil {
			said = err.Error()
		}
		if said != tt.err {
			t.Errorf("%s %s over %s: %q, want %q", tt.kind, tt.e, tt.under, said, tt.err)
		}
	}
}

// What the eBPF plane cannot do is left to the kernel's, and refused where somebody has named the former.
func TestPlaneForDiscovery(t *testing.T) {
	t.Parallel()
	const ebpf, kernel = overlay.PlaneEBPF, overlay.PlaneKernel
	group := overlay.NetworkSpec{Discovery: overlay.DiscoveryMulticast}.Complete()
	learning := overlay.NetworkSpec{Discovery: overlay.DiscoveryStatic, Learning: true}.Complete()
	static := overlay.NetworkSpec{Discovery: overlay.DiscoveryStatic}.Complete()
	for _, tt := range []struct {
		spec       overlay.NetworkSpec
		has        []overlay.PlaneName
		chosen     overlay.PlaneName
		plane      overlay.PlaneName
		why, error string
	}{
		{group, []overlay.PlaneName{ebpf, kernel}, "", kernel, "auto: plane ebpf does not do discovery multicast", ""},
		{learning, []overlay.PlaneName{ebpf, kernel}, "", kernel, "auto: plane ebpf does not do learning", ""},
		{static, []overlay.PlaneName{ebpf, kernel}, "", ebpf, "auto: this node has all that it needs", ""},
		{group, []overlay.PlaneName{ebpf}, "", "", "", "has no plane for encapsulation vxlan with discovery multicast, but ebpf"},
		{group, []overlay.PlaneName{ebpf, kernel}, ebpf, "", "", "has plane ebpf, which it chose before (weft node migrate-plane a blue --to PLANE chooses another), but that does not do discovery multicast"},
	} {
		n := &overlay.Node{Meta: overlay.Meta{Name: "a"}, Spec: overlay.NodeSpec{Planes: tt.has}}
		plane, err := planeOn(n, "blue", tt.spec, tt.chosen)
		said, why := "", ""
		if err != nil {
			plane, said = "", err.Error()
		} else {
			why = Why(n, plane, tt.spec)
		}
		if plane != tt.plane || said != tt.error || why != tt.why {
			t.Errorf("%s of %v: %q (%s), %q\nwant %q (%s), %q", tt.spec.Discovery, tt.has, plane, why, said, tt.plane, tt.why, tt.error)
		}
	}
}

// What was said counts before what was chosen, and that before what is best now.
func TestPlaneStays(t *testing.T) {
	t.Parallel()
	const blue, ebpf, kernel = overlay.NetworkName("blue"), overlay.PlaneEBPF, overlay.PlaneKernel
	both, one := []overlay.PlaneName{ebpf, kernel}, []overlay.PlaneName{kernel}
	for _, tt := range []struct {
		has                 []overlay.PlaneName
		named, said, chosen overlay.PlaneName
		plane               overlay.PlaneName
		err                 string
	}{
		{both, overlay.PlaneAuto, "", "", ebpf, ""},
		{both, overlay.PlaneAuto, "", kernel, kernel, ""},
		{both, overlay.PlaneAuto, ebpf, kernel, ebpf, ""},
		{both, kernel, ebpf, ebpf, kernel, ""},
		{one, overlay.PlaneAuto, "", ebpf, "", "does not have plane ebpf, which it chose before (weft node migrate-plane a blue --to PLANE chooses another), but kernel (no tcx)"},
		{one, overlay.PlaneAuto, ebpf, kernel, "", "does not have plane ebpf, which somebody chose for it (weft node migrate-plane a blue --to PLANE chooses another), but kernel (no tcx)"},
	} {
		n := &overlay.Node{Meta: overlay.Meta{Name: "a"}, Spec: overlay.NodeSpec{
			Planes: tt.has, Lacks: map[overlay.PlaneName]string{ebpf: "no tcx"}, NetworkPlanes: map[overlay.NetworkName]overlay.PlaneName{blue: tt.said},
		}}
		plane, err := planeOn(n, blue, overlay.NetworkSpec{Plane: tt.named, Encapsulation: overlay.EncapVXLAN}, tt.chosen)
		said := ""
		if err != nil {
			plane, said = "", err.Error()
		}
		if plane != tt.plane || said != tt.err {
			t.Errorf("named %q, said %q, chosen %q of %v: %q, %q, want %q, %q", tt.named, tt.said, tt.chosen, tt.has, plane, said, tt.plane, tt.err)
		}
	}
}
