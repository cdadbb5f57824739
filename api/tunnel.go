package api

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"weft/overlay"
	"weft/plan"
)

// completeTunnel fills in a tunnel's defaults, and reports why its node or its network cannot
// have it. What two tunnels cannot both have, they claim, and the store refuses.
func (s *Server) completeTunnel(ctx context.Context, t overlay.Tunnel) (overlay.Resource, error) {
	if err := check(&t); err != nil {
		return nil, err
	}
	t.Spec = t.Spec.Complete(overlay.TunnelName(t.Name))
	node, err := needed[overlay.Node](ctx, s, &t, overlay.Key{Kind: overlay.KindNode, Name: string(t.Spec.Node)})
	if err != nil {
		return nil, err
	}
	if err := forwards(&t, node); err != nil {
		return nil, err
	}
	if err := s.index.apart(&t, node); err != nil {
		return nil, err
	}
	if t.Network == "" {
		return &t, nil
	}
	n, err := s.networkOf(ctx, &t)
	if err != nil {
		return nil, err
	}
	return &t, s.index.joins(&t, n)
}

// forwards reports why no plane of the node forwards the tunnel.
func forwards(t *overlay.Tunnel, node *overlay.Node) error {
	underlay, ok := underlayOf(t.Spec, node)
	if !ok {
		return Invalid("give the address to send from (--local)", "%s: node %s has no %s underlay address to reach %s from", t.Key(), node.Name, underlay, t.Spec.Remote)
	}
	if _, _, err := plan.TunnelPlane(node, t.Spec, underlay); err != nil {
		return Invalid("", "%s: %v", t.Key(), err)
	}
	return nil
}

// underlayOf is the family of the tunnel's outer packets; false: the node has no address of it.
func underlayOf(s overlay.TunnelSpec, node *overlay.Node) (overlay.Family, bool) {
	if s.Local.IsValid() {
		return overlay.FamilyOf(s.Local), true
	}
	if remote, ok := s.RemoteAddr(); ok {
		f := overlay.FamilyOf(remote)
		_, has := node.Underlay(f)
		return f, has
	}
	if _, has := node.Underlay(overlay.V4); has {
		return overlay.V4, true
	}
	return overlay.V6, true
}

// explicit is the spec with the outer source address that the node has for it.
func explicit(s overlay.TunnelSpec, node *overlay.Node) overlay.TunnelSpec {
	if f, ok := underlayOf(s, node); ok && !s.Local.IsValid() {
		if p, ok := node.Underlay(f); ok {
			s.Local = p.Addr()
		}
	}
	return s
}

// outerText says in words what overlay.TunnelSpec.Outer writes.
func outerText(outer string) string {
	w := strings.Split(outer, "/")
	switch mode := overlay.TunnelMode(w[0]); {
	case mode.HasVNI() && len(w) == 3:
		return fmt.Sprintf("%s VNI %s on UDP port %s", mode, w[1], w[2])
	case len(w) < 3:
		return outer
	case len(w) < 4:
		return between(w)
	case mode == overlay.TunnelUDP:
		return between(w) + " on UDP port " + w[3]
	}
	return between(w) + " with key " + w[3]
}

// between says from where to where; where a tunnel leaves its own address to the node, only
// where to.
func between(w []string) string {
	if _, err := netip.ParseAddr(w[1]); err != nil {
		return w[0] + " to " + w[2]
	}
	return w[0] + " from " + w[1] + " to " + w[2]
}

// outerHint says what can tell tunnels of a mode apart.
func outerHint(outer string) string {
	mode, _, _ := strings.Cut(outer, "/")
	switch m := overlay.TunnelMode(mode); {
	case m.HasVNI():
		return "another VNI or port"
	case m.IsGRE():
		return "another key to receive, or another address"
	case m == overlay.TunnelUDP:
		return "another port or address"
	}
	return "another address"
}
