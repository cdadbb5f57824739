package api

import (
	"fmt"

	"weft/encap"
	"weft/overlay"
	"weft/store"
)

// checkMTU refuses an MTU that no node could give the network's ports, as far as nodes
// have registered. What the members can give is known only when they are: then the
// smallest counts, and a larger MTU is reported (overlay.NetworkSpec.MTU).
func (s *Server) checkMTU(n *overlay.Network) error {
	nodes, _ := s.index.list(store.Interest{Kinds: []overlay.Kind{overlay.KindNode}})
	var roomiest *overlay.Node
	most := 0
	for _, r := range nodes {
		if node, ok := r.(*overlay.Node); ok {
			if room := roomOn(node, n.Spec); room > most {
				roomiest, most = node, room
			}
		}
	}
	if roomiest == nil || n.Spec.MTU <= most {
		return nil
	}
	return Invalid(fmt.Sprintf("ask for %d at most, or for none to have it computed", most),
		"%s: MTU %d is too large: no node's underlay takes it; the largest, of node %s with %d, leaves %d",
		n.Key(), n.Spec.MTU, roomiest.Name, roomiest.Spec.UnderlayMTU, most)
}

// roomOn is the largest MTU that a node can give the network's ports, over whichever
// family of the underlay the network allows; 0 if it cannot take part.
func roomOn(node *overlay.Node, spec overlay.NetworkSpec) int {
	most := 0
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		_, has := node.Underlay(f)
		if !has || spec.Underlay != overlay.FamilyAuto && spec.Underlay != f {
			continue
		}
		// An error says that the underlay is too small for the subnets, too.
		if room, err := encap.PortMTU(spec.Encapsulation, spec.Kind, f, node.Spec.UnderlayMTU); err == nil {
			most = max(most, room)
		}
	}
	return most
}
