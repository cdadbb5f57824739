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
		{[]overlay.PlaneName{kernel, ebpf}, kernel, geneve, "", "has plane kernel, which the network asks for, but that does not do encapsulation geneve"},
		{[]overlay.PlaneName{kernel}, overlay.PlaneAuto, geneve, "", "has no plane for encapsulation geneve, but kernel"},
		{nil, ebpf, overlay.EncapVXLAN, "", "does not have plane ebpf, which the network asks for, but kernel (no tcx)"},
	} {
		n := &overlay.Node{Spec: overlay.NodeSpec{Planes: tt.has, Lacks: map[overlay.PlaneName]string{ebpf: "no tcx"}}}
		plane, err := planeOn(n, overlay.NetworkSpec{Plane: tt.want, Encapsulation: tt.encap})
		said := ""
		if err != nil {
			said = err.Error()
		}
		if plane != tt.plane || said != tt.err {
			t.Errorf("%s of %v for %s: %q, %q, want %q, %q", tt.want, tt.has, tt.encap, plane, said, tt.plane, tt.err)
		}
	}
}
