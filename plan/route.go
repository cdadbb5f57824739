package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// routes gives this node its blocks of a routed network, and returns the
// routes to those of the members.
func (f *frame) routes(blocks map[string]*overlay.Block) map[netip.Prefix]dataplane.Route {
	if f.Kind != overlay.Routed {
		return nil
	}
	owner := make(map[netip.Prefix]*overlay.Block, len(blocks))
	for _, b := range blocks {
		if had, ok := owner[b.Spec.Prefix]; !ok || outdates(&b.Meta, &had.Meta) {
			owner[b.Spec.Prefix] = b
		}
	}
	routes := make(map[netip.Prefix]dataplane.Route, len(owner))
	for prefix, b := range owner {
		if b.Spec.Node == overlay.NodeName(f.self.Name) {
			f.Blocks = append(f.Blocks, prefix)
		} else if r, ok := f.route(prefix, b.Spec.Node); ok {
			routes[prefix] = r
		}
	}
	f.tunnelRoutes(routes)
	f.routePeers(routes)
	slices.SortFunc(f.Blocks, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return routes
}

// route leads to a member's block: direct where that is wanted and both are on
// one segment of the block's family, else encapsulated where that is possible.
func (f *frame) route(prefix netip.Prefix, to overlay.NodeName) (dataplane.Route, bool) {
	if _, member := f.members[to]; !member {
		return dataplane.Route{}, false
	}
	family := overlay.FamilyOf(prefix.Addr())
	here, hasHere := f.self.Underlay(family)
	there, hasThere := f.nodes[to].Underlay(family)
	shared := hasHere && hasThere && here.Masked() == there.Masked()
	encapsulated := f.Encapsulation != overlay.EncapNone
	switch {
	case shared && (f.spec.DirectRouting || !encapsulated):
		return dataplane.Route{Node: to, Direct: true, Via: there.Addr()}, true
	case encapsulated:
		return dataplane.Route{Node: to}, true
	case !hasHere:
		f.refuse("no route to %s on node %s: without encapsulation it takes a %s underlay address, and this node, %s, has none", prefix, to, family, f.self.Name)
	case !hasThere:
		f.refuse("no route to %s on node %s: without encapsulation it takes a %s underlay address, and node %[2]s has none", prefix, to, family)
	default:
		f.refuse("no route to %s on node %s: without encapsulation it takes one underlay segment, and node %[2]s is on %[3]s, node %[4]s on %[5]s; use encapsulation vxlan, with directRouting for nodes on one segment", prefix, to, there.Masked(), f.self.Name, here.Masked())
	}
	return dataplane.Route{}, false
}
