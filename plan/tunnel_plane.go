package plan

import (
	"fmt"
	"slices"
	"strings"

	"weft/overlay"
)

// TunnelPlane is the plane with which a node forwards a tunnel over an underlay family, and why that
// one, for the status; the error is to be read after "tunnel NAME: ".
//
// Left to itself, a tunnel is on the eBPF plane, the fastest; on the kernel plane if it
// wants something that only the kernel's own device does; and without such a device, on
// the eBPF plane's slow mode if there is one for what it wants.
func TunnelPlane(n *overlay.Node, s overlay.TunnelSpec, underlay overlay.Family) (overlay.PlaneName, string, error) {
	t := tunnelNeeds{n, s, underlay}
	if s.Plane != "" && s.Plane != overlay.PlaneAuto {
		return s.Plane, "the tunnel names it", t.refuse(s.Plane)
	}
	for _, p := range t.preference() {
		if t.refuse(p) == nil {
			return p, "auto: " + t.why(p), nil
		}
	}
	var reasons []string
	for _, p := range t.preference() {
		reasons = append(reasons, t.refuse(p).Error())
	}
	return "", "", fmt.Errorf("node %s has no plane for mode %s: %s", n.Name, s.Mode, strings.Join(reasons, "; "))
}

type tunnelNeeds struct {
	node     *overlay.Node
	spec     overlay.TunnelSpec
	underlay overlay.Family
}

// preference are the planes to try, best first.
func (t tunnelNeeds) preference() []overlay.PlaneName {
	switch {
	case t.spec.Mode == overlay.TunnelUDP:
		return []overlay.PlaneName{overlay.PlaneUser}
	case t.device() != "":
		return []overlay.PlaneName{overlay.PlaneKernel, overlay.PlaneEBPF}
	}
	return []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}
}

// why says why a plane was taken of those that there are.
func (t tunnelNeeds) why(p overlay.PlaneName) string {
	lacks := t.refuse(t.preference()[0])
	switch {
	case p == overlay.PlaneUser:
		return "the only plane that does mode udp"
	case p == overlay.PlaneKernel && t.device() != "":
		return t.device() + " is the kernel's device's to do"
	case p == overlay.PlaneKernel:
		return lacks.Error()
	case t.slow() != "":
		return fmt.Sprintf("slow mode, without offloads, for %s: %v", t.slow(), lacks)
	}
	return "this node has all that it needs"
}

// device says what of the tunnel the kernel's own device does best, or alone.
func (t tunnelNeeds) device() string {
	if alone := t.alone(); alone != "" {
		return alone
	}
	return t.slow()
}

// alone says what of the tunnel only the kernel's own device does.
func (t tunnelNeeds) alone() string {
	switch s := t.spec; {
	case s.Group():
		return "learning by multicast"
	case s.Proxy:
		return "answering ARP and ND for others"
	case len(s.FDB) > 0:
		return "an FDB by hand"
	}
	return ""
}

// slow says what the eBPF plane can only do without offloads.
func (t tunnelNeeds) slow() string {
	switch s := t.spec; {
	case s.InChecksum, s.OutChecksum, s.InSequence, s.OutSequence:
		return "GRE with checksums or sequence numbers"
	case s.UDPChecksum != nil && *s.UDPChecksum:
		return "computing outer UDP checksums"
	}
	return ""
}

// refuse says why a plane cannot do it; nil: it can. Of a node that does not say what its
// kernel can do it is found out by trying.
func (t tunnelNeeds) refuse(p overlay.PlaneName) error {
	mode := t.spec.Mode.Over(t.underlay)
	switch {
	case t.spec.Mode == overlay.TunnelUDP && p != overlay.PlaneUser:
		return fmt.Errorf("plane %s does not do mode udp; want plane user", p)
	case t.spec.Mode != overlay.TunnelUDP && p == overlay.PlaneUser:
		return fmt.Errorf("plane user does mode udp alone")
	case !slices.Contains(planesOf(t.node), p):
		return fmt.Errorf("plane %s is not there%s", p, lacked(t.node, p))
	case (t.node.Spec.TunnelModes != nil || p == overlay.PlaneEBPF) && !slices.Contains(t.node.Spec.TunnelModes[p], mode):
		return fmt.Errorf("plane %s: %s", p, t.lacking(p))
	case p == overlay.PlaneEBPF && t.alone() != "":
		return fmt.Errorf("plane ebpf does not do %s", t.alone())
	case p == overlay.PlaneKernel && t.unbound() != "":
		return fmt.Errorf("plane kernel: its geneve device has no %s, but sends as the host's routes have it; want plane ebpf, or leave it out", t.unbound())
	}
	return nil
}

// unbound says what of the tunnel the kernel's geneve device cannot be told: unlike all others it
// is bound to nothing (drivers/net/geneve.c, struct geneve_config).
func (t tunnelNeeds) unbound() string {
	switch {
	case t.spec.Mode != overlay.TunnelGeneve:
		return ""
	case t.spec.Underlay != "":
		return "underlay device"
	case t.spec.Local.IsValid():
		return "local address"
	}
	return ""
}

// lacking says of a mode that a plane does not have why it does not.
func (t tunnelNeeds) lacking(p overlay.PlaneName) string {
	over := ""
	if t.underlay == overlay.V6 {
		over = " over IPv6"
	}
	if p == overlay.PlaneKernel {
		return fmt.Sprintf("this kernel has no %s device%s", t.spec.Mode, over)
	}
	return fmt.Sprintf("it does not do mode %s%s here", t.spec.Mode, over)
}
