package ebpf

import (
	"maps"
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// LowerChange is what of Lower a change can concern, before and after: all that
// differs is among it. Its cost is that of the change where it concerns nothing but
// remote stations, neighbours and routes. Where it concerns ports, was has not what the
// maps hold by device.
func LowerChange(old, next dataplane.Network, d dataplane.NetworkDelta, on kernel.ProgramLinks) (was, want Tables) {
	nodes := nodesOf(old, next, d)
	part := func(n dataplane.Network, on kernel.ProgramLinks) Tables {
		l := lowering{newTables(), n, on}
		if d.Settings != nil || !d.Ports.Empty() || !d.Members.Empty() {
			l.few()
		} else {
			l.gateways() // whose addresses are no neighbour's
		}
		each(d.Remotes, n.Remotes, l.remote)
		ofNodes(nodes, n.Remotes, func(n overlay.NodeName) overlay.NodeName { return n }, l.remote)
		each(d.Neighbors, n.Neighbors, l.neighbor)
		each(d.Routes, n.Routes, l.route)
		ofNodes(nodes, n.Routes, func(r dataplane.Route) overlay.NodeName { return r.Node }, l.route)
		return l.Tables
	}
	return part(old, replaced(on, d)), part(next, on)
}

// replaced are the links as they were before a change: the ports that it names had
// devices that are not known any more, nor is that they had the same.
func replaced(on kernel.ProgramLinks, d dataplane.NetworkDelta) kernel.ProgramLinks {
	on.Ports = maps.Clone(on.Ports)
	for name := range named(d.Ports) {
		on.Ports[name] = kernel.ProgramLink{} // which none has
	}
	return on
}

// nodesOf are the nodes whose stations or routes lead elsewhere after a change.
func nodesOf(old, next dataplane.Network, d dataplane.NetworkDelta) map[overlay.NodeName]struct{} {
	nodes := named(d.Members)
	maps.DeleteFunc(nodes, func(n overlay.NodeName, _ struct{}) bool { return old.Members[n] == next.Members[n] })
	return nodes
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

// gateways adds the gateway's addresses.
func (l lowering) gateways() {
	for _, g := range l.n.Gateways {
		l.gateway(g.Addr())
	}
	l.gateway(l.n.GatewayMAC.LinkLocal())
}

// gateway adds one of them.
func (l lowering) gateway(a netip.Addr) {
	g := programsNeighbor{Flags: neighborGateway}
	g.Mac.Byte = l.n.GatewayMAC
	l.neighbors[addressKey(l.n.VNI, a)] = g
}
