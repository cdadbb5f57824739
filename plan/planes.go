package plan

import (
	"fmt"
	"slices"

	"weft/overlay"
)

// planeOn is the plane with which a node forwards a network: the one that the network
// names, or else that which somebody has said for this node, or else that which the node
// has chosen before (chosen; only this node knows), or else its best. A plane that the node
// lacks, or that cannot, is an error, and never replaced by another: whoever names
// one has a reason, and what was chosen stays until somebody says otherwise.
func planeOn(n *overlay.Node, name overlay.NetworkName, spec overlay.NetworkSpec, chosen overlay.PlaneName) (overlay.PlaneName, error) {
	want, asked := spec.Plane, "which the network asks for"
	if want == overlay.PlaneAuto {
		want = n.Spec.NetworkPlanes[name]
		asked = fmt.Sprintf("which somebody chose for it (weft node migrate-plane %s %s --to PLANE chooses another)", n.Name, name)
	}
	if want == "" {
		want = chosen
		asked = fmt.Sprintf("which it chose before (weft node migrate-plane %s %s --to PLANE chooses another)", n.Name, name)
	}
	if want == "" {
		best, ok := Best(n, spec)
		if !ok {
			return "", fmt.Errorf("has no plane for %s, but %s%s%s", purpose(spec), planeNames(planesOf(n)), lacked(n, widest(spec)), noDevice(n, spec))
		}
		return best, nil
	}
	return want, Able(n, want, spec, asked)
}

// Able returns nil if a node can forward a network with a plane, and else what is
// in the way, to be read after the node's name; asked says why it is that plane.
func Able(n *overlay.Node, p overlay.PlaneName, spec overlay.NetworkSpec, asked string) error {
	if asked != "" {
		asked = ", " + asked + ","
	}
	switch {
	case !slices.Contains(planesOf(n), p):
		return fmt.Errorf("does not have plane %s%s but %s%s", p, asked, planeNames(planesOf(n)), lacked(n, p))
	case !p.Carries(spec.Encapsulation):
		return fmt.Errorf("has plane %s%s but that does not do encapsulation %s", p, asked, spec.Encapsulation)
	case p == overlay.PlaneKernel && n.NoDevice(spec) != "":
		return fmt.Errorf("has plane %s%s but %s", p, asked, n.NoDevice(spec))
	case spec.Beyond(p) != "":
		return fmt.Errorf("has plane %s%s but that does not do %s", p, asked, spec.Beyond(p))
	}
	return nil
}

// purpose is what a plane is wanted for.
func purpose(spec overlay.NetworkSpec) string {
	text := "encapsulation " + string(spec.Encapsulation)
	if what := spec.Beyond(widest(spec)); what != "" {
		text += " with " + what
	}
	return text
}

// Best is the best of a node's planes that does a network; false if none does.
func Best(n *overlay.Node, spec overlay.NetworkSpec) (overlay.PlaneName, bool) {
	has := planesOf(n)
	able := slices.IndexFunc(has, func(p overlay.PlaneName) bool { return Able(n, p, spec, "") == nil })
	if able < 0 {
		return "", false
	}
	return has[able], true
}

// Why says why a plane is a node's best for a network.
func Why(n *overlay.Node, p overlay.PlaneName, spec overlay.NetworkSpec) string {
	switch why := n.Spec.Lacks[overlay.PlaneEBPF]; {
	case p == overlay.PlaneEBPF:
		return "auto: this node has all that it needs"
	case p == overlay.PlaneUser:
		return "auto: the only plane that does encapsulation " + string(spec.Encapsulation)
	case spec.Beyond(overlay.PlaneEBPF) != "":
		return "auto: plane ebpf does not do " + spec.Beyond(overlay.PlaneEBPF)
	case why != "":
		return "auto: " + why
	case len(planesOf(n)) == 1:
		return "auto: the only plane here"
	}
	return "auto: the best here"
}

// noDevice says why the kernel plane, if the node has it, does not do a network that others
// might; of those that it never does there is nothing to say.
func noDevice(n *overlay.Node, spec overlay.NetworkSpec) string {
	lacks := n.NoDevice(spec)
	if lacks == "" || !overlay.PlaneKernel.Carries(spec.Encapsulation) || !slices.Contains(planesOf(n), overlay.PlaneKernel) {
		return ""
	}
	return "; " + lacks
}

// planesOf are a node's planes, best first. A node that names none has the kernel's.
func planesOf(n *overlay.Node) []overlay.PlaneName {
	if len(n.Spec.Planes) == 0 {
		return []overlay.PlaneName{overlay.PlaneKernel}
	}
	return n.Spec.Planes
}

// widest is the plane that would do a network if any did.
func widest(spec overlay.NetworkSpec) overlay.PlaneName {
	if overlay.PlaneEBPF.Carries(spec.Encapsulation) {
		return overlay.PlaneEBPF
	}
	return overlay.PlaneUser
}

// lacked says why a node does not have a plane, if it does.
func lacked(n *overlay.Node, p overlay.PlaneName) string {
	if why := n.Spec.Lacks[p]; why != "" {
		return " (" + why + ")"
	}
	return ""
}

func planeNames(planes []overlay.PlaneName) string {
	text := string(planes[0])
	for _, p := range planes[1:] {
		text += ", " + string(p)
	}
	return text
}
