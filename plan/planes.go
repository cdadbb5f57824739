package plan

import (
	"fmt"
	"slices"

	"weft/overlay"
)

// planeOn is the plane with which a node forwards a network: auto is the node's best
// that can. A plane that the node lacks, or that cannot, is an error, and never replaced
// by another: whoever names one has a reason.
func planeOn(n *overlay.Node, spec overlay.NetworkSpec) (overlay.PlaneName, error) {
	has := n.Spec.Planes
	if len(has) == 0 {
		has = []overlay.PlaneName{overlay.PlaneKernel}
	}
	want := spec.Plane
	if want == overlay.PlaneAuto {
		able := slices.IndexFunc(has, func(p overlay.PlaneName) bool { return carries(p, spec.Encapsulation) })
		if able < 0 {
			return "", fmt.Errorf("has no plane for encapsulation %s, but %s", spec.Encapsulation, planeNames(has))
		}
		return has[able], nil
	}
	switch why := n.Spec.Lacks[want]; {
	case !slices.Contains(has, want) && why != "":
		return "", fmt.Errorf("does not have plane %s, which the network asks for, but %s (%s)", want, planeNames(has), why)
	case !slices.Contains(has, want):
		return "", fmt.Errorf("does not have plane %s, which the network asks for, but %s", want, planeNames(has))
	case !carries(want, spec.Encapsulation):
		return "", fmt.Errorf("has plane %s, which the network asks for, but that does not do encapsulation %s", want, spec.Encapsulation)
	}
	return want, nil
}

// carries reports whether a plane does an encapsulation.
func carries(p overlay.PlaneName, e overlay.Encapsulation) bool {
	switch p {
	case overlay.PlaneKernel:
		return e == overlay.EncapVXLAN || e == overlay.EncapNone
	}
	return true // the eBPF plane, and one that this version does not know: who has it knows
}

func planeNames(planes []overlay.PlaneName) string {
	text := string(planes[0])
	for _, p := range planes[1:] {
		text += ", " + string(p)
	}
	return text
}
