package kernel

import (
	"maps"

	"weft/dataplane"
	"weft/overlay"
)

// before is what applying a delta has to know of the State that the delta is about to
// change in place: of the networks that it names everything, but of remote stations
// and their neighbours, which are very many, only those that it can concern.
func before(s dataplane.State, d dataplane.Delta) dataplane.State {
	was := dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{}}
	for name, nd := range d.Networks {
		n, known := s.Networks[name]
		if !known {
			continue
		}
		n.Ports, n.Members, n.Routes = maps.Clone(n.Ports), maps.Clone(n.Members), maps.Clone(n.Routes)
		n.Neighbors = some(n.Neighbors, nd.Neighbors)
		if nd.Members.Empty() {
			n.Remotes = some(n.Remotes, nd.Remotes)
		} else {
			n.Remotes = maps.Clone(n.Remotes) // those of the members that change
		}
		was.Networks[name] = n
	}
	return was
}

// some is those entries of m that a change names.
func some[K comparable, V any](m map[K]V, c dataplane.Changes[K, V]) map[K]V {
	part := map[K]V{}
	c.Among(m, func(k K, v V) { part[k] = v })
	return part
}

// nodesOf are the nodes whose stations or routes a change can concern: they lead to
// the node's VTEP, and a node's routes share that VTEP's entry.
func nodesOf(old, next dataplane.Network, d dataplane.NetworkDelta) map[overlay.NodeName]struct{} {
	nodes := d.Members.Keys()
	for prefix := range d.Routes.Keys() {
		for _, n := range []dataplane.Network{old, next} {
			if r, ok := n.Routes[prefix]; ok {
				nodes[r.Node] = struct{}{}
			}
		}
	}
	return nodes
}

// changed adds what follows from the entries that a change names, and from those of
// the nodes, as far as the network has them.
func (l lowering) changed(d dataplane.NetworkDelta, nodes map[overlay.NodeName]struct{}) {
	d.Ports.Among(l.n.Ports, func(_ overlay.EndpointName, p dataplane.Port) { l.port(p) })
	if hasMemberLinks(l.n) {
		for node := range nodes {
			l.member(node)
		}
	}
	if l.n.Kind == overlay.Routed {
		dataplane.OfNodes(nodes, l.n.Routes, func(r dataplane.Route) overlay.NodeName { return r.Node }, l.route)
		return
	}
	for node := range d.Members.Keys() {
		l.member(node)
	}
	d.Remotes.Among(l.n.Remotes, l.remote)
	dataplane.OfNodes(nodes, l.n.Remotes, func(n overlay.NodeName) overlay.NodeName { return n }, l.remote)
	d.Neighbors.Among(l.n.Neighbors, l.neighbor)
}
