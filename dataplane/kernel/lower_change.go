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
	each(c, m, func(k K, v V) { part[k] = v })
	return part
}

// nodesOf are the nodes whose stations or routes a change can concern: they lead to
// the node's VTEP, and a node's routes share that VTEP's entry.
func nodesOf(old, next dataplane.Network, d dataplane.NetworkDelta) map[overlay.NodeName]struct{} {
	nodes := named(d.Members)
	for prefix := range named(d.Routes) {
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
	each(d.Ports, l.n.Ports, func(_ overlay.EndpointName, p dataplane.Port) { l.port(p) })
	if l.n.Kind == overlay.Routed {
		ofNodes(nodes, l.n.Routes, func(r dataplane.Route) overlay.NodeName { return r.Node }, l.route)
		return
	}
	for node := range named(d.Members) {
		l.member(node)
	}
	each(d.Remotes, l.n.Remotes, l.remote)
	ofNodes(nodes, l.n.Remotes, func(n overlay.NodeName) overlay.NodeName { return n }, l.remote)
	each(d.Neighbors, l.n.Neighbors, l.neighbor)
}

// each calls f with those entries of m that a change names.
func each[K comparable, V any](c dataplane.Changes[K, V], m map[K]V, f func(K, V)) {
	for k := range named(c) {
		if v, ok := m[k]; ok {
			f(k, v)
		}
	}
}

// ofNodes calls f with those entries of m that belong to one of the nodes.
func ofNodes[K comparable, V any](nodes map[overlay.NodeName]struct{}, m map[K]V, node func(V) overlay.NodeName, f func(K, V)) {
	if len(nodes) == 0 {
		return
	}
	for k, v := range m {
		if _, ok := nodes[node(v)]; ok {
			f(k, v)
		}
	}
}

// named are the keys that a change names.
func named[K comparable, V any](c dataplane.Changes[K, V]) map[K]struct{} {
	keys := maps.Clone(c.Gone)
	if keys == nil {
		keys = map[K]struct{}{}
	}
	for k := range c.Set {
		keys[k] = struct{}{}
	}
	return keys
}
