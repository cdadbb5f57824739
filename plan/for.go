package plan

import (
	"maps"

	"weft/dataplane"
	"weft/overlay"
)

// For is the State of a node: the networks of the snapshot in which it has
// endpoints. Its Generation is 0; only a Planner counts.
func For(self overlay.NodeName, s *overlay.Snapshot) dataplane.State {
	return forNamed(self, s, hashName)
}

func forNamed(self overlay.NodeName, s *overlay.Snapshot, name func(portKey, int) string) dataplane.State {
	state := dataplane.State{
		Node:     self,
		Networks: map[overlay.NetworkName]dataplane.Network{},
		Held:     maps.Clone(s.Held),
		Problems: map[overlay.NetworkName][]string{},
	}
	device := devices(localPorts(self, s), name)
	for name, endpoints := range s.Endpoints {
		network, known := s.Networks[name]
		_, held := s.Held[name]
		if !known || held {
			continue
		}
		nodes := nodesOf(endpoints)
		if nodes[self] == 0 {
			continue
		}
		f, ok := settle(network, self, s.Nodes, nodes)
		if ok {
			state.Networks[name] = build(f, endpoints, s.Blocks[name], device)
		}
		if problems := f.allProblems(); len(problems) > 0 {
			state.Problems[name] = problems
		}
	}
	return state
}

// build makes the collections of a network that settled.
func build(f *frame, endpoints map[overlay.EndpointName]*overlay.Endpoint, blocks map[string]*overlay.Block, device map[portKey]string) dataplane.Network {
	n := dataplane.Network{Members: f.members, Ports: f.ports(endpoints, device), Routes: f.routes(blocks)}
	n.Settings = f.Settings // routes has found this node's blocks
	if f.Kind != overlay.Bridged {
		return n
	}
	macs, addresses := make(claims[overlay.MAC], len(endpoints)), make(claims[address], 2*len(endpoints))
	for _, e := range endpoints {
		if !e.Spec.MAC.IsZero() {
			macs.take(e.Spec.MAC, e)
			for a := range ips(e) {
				addresses.take(a, e)
			}
		}
	}
	n.Remotes = make(map[overlay.MAC]overlay.NodeName, len(macs))
	for m, e := range macs {
		if node, ok := f.remote(m, e); ok {
			n.Remotes[m] = node
		}
	}
	n.Neighbors = make(map[address]overlay.MAC, len(addresses))
	for a, e := range addresses {
		if m, ok := f.neighbor(a, e); ok {
			n.Neighbors[a] = m
		}
	}
	return n
}

// nodesOf counts the endpoints of every node, stations aside: those that have
// one take part in the network.
func nodesOf(endpoints map[overlay.EndpointName]*overlay.Endpoint) map[overlay.NodeName]int {
	nodes := map[overlay.NodeName]int{}
	for _, e := range endpoints {
		if e.Spec.Port != overlay.PortStation {
			nodes[e.Spec.Node]++
		}
	}
	return nodes
}

// claims says who has what: the endpoint that was written last.
type claims[K comparable] map[K]*overlay.Endpoint

func (c claims[K]) take(k K, e *overlay.Endpoint) {
	if had, ok := c[k]; !ok || outdates(e.Meta, had.Meta) {
		c[k] = e
	}
}

// outdates says which of two resources that claim the same thing has it: the
// one written last; the names decide between equals, so that every node and
// every order of events agree.
func outdates(a, b overlay.Meta) bool {
	if a.Revision != b.Revision {
		return a.Revision > b.Revision
	}
	return a.Name < b.Name
}
