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
func LowerChange(old, next dataplane.Network, d dataplane.NetworkDelta, on kernel.ProgramLinks, counters Counters) (was, want Tables) {
	nodes := nodesOf(old, next, d)
	part := func(n dataplane.Network, on kernel.ProgramLinks) Tables {
		l := lowering{newTables(), n, on, counters}
		if kernel.OfLinks(d) {
			l.few()
		} else {
			l.gateways() // whose addresses are no neighbour's
		}
		d.Remotes.Among(n.Remotes, l.remote)
		dataplane.OfNodes(nodes, n.Remotes, func(n overlay.NodeName) overlay.NodeName { return n }, l.remote)
		d.Neighbors.Among(n.Neighbors, l.neighbor)
		d.Routes.Among(n.Routes, l.route)
		dataplane.OfNodes(nodes, n.Routes, func(r dataplane.Route) overlay.NodeName { return r.Node }, l.route)
		return l.Tables
	}
	return part(old, replaced(on, d)), part(next, on)
}

// replaced are the links as they were before a change: the ports that it names had
// devices that are not known any more, nor is that they had the same.
func replaced(on kernel.ProgramLinks, d dataplane.NetworkDelta) kernel.ProgramLinks {
	on.Ports = maps.Clone(on.Ports)
	for name := range d.Ports.Keys() {
		on.Ports[name] = kernel.ProgramLink{} // which none has
	}
	return on
}

// nodesOf are the nodes whose stations or routes lead elsewhere after a change.
func nodesOf(old, next dataplane.Network, d dataplane.NetworkDelta) map[overlay.NodeName]struct{} {
	nodes := d.Members.Keys()
	maps.DeleteFunc(nodes, func(n overlay.NodeName, _ struct{}) bool { return old.Members[n] == next.Members[n] })
	return nodes
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
