package plan

import (
	"fmt"
	"slices"

	"weft/overlay"
)

// planeOn is the plane with which a node forwards a network that wants one: auto
// is the node's best. A plane that the node lacks is an error, and never replaced
// by another: whoever names one has a reason.
func planeOn(n *overlay.Node, want overlay.PlaneName) (overlay.PlaneName, error) {
	has := n.Spec.Planes
	if len(has) == 0 {
		has = []overlay.PlaneName{overlay.PlaneKernel}
	}
	switch {
	case want == overlay.PlaneAuto:
		return has[0], nil
	case slices.Contains(has, want):
		return want, nil
	}
	return "", fmt.Errorf("does not have plane %s, which the network asks for, but %s", want, planeNames(has))
}

func planeNames(planes []overlay.PlaneName) string {
	text := string(planes[0])
	for _, p := range planes[1:] {
		text += ", " + string(p)
	}
	return text
}
