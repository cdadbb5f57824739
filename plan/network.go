package plan

import (
	"weft/dataplane"
	"weft/overlay"
)

// network is what a Planner knows of a network, and what it has to do about it.
type network struct {
	resource  *overlay.Network // nil: not known yet
	blocks    map[string]*overlay.Block
	endpoints map[overlay.EndpointName]*overlay.Endpoint
	byNode    map[overlay.NodeName]map[overlay.EndpointName]*overlay.Endpoint
	// nodes counts the endpoints of each node, stations aside.
	nodes     map[overlay.NodeName]int
	macs      contest[overlay.MAC]
	addresses contest[address]

	// frame is the one that the State was made with; nil while it has none.
	frame *frame
	// rebuild: everything may have changed. reframe: all but who has which
	// MAC and address, which are listed.
	rebuild, reframe bool
	changedMACs      map[overlay.MAC]struct{}
	changedAddresses map[address]struct{}
}

func newNetwork() *network {
	return &network{
		blocks:           map[string]*overlay.Block{},
		endpoints:        map[overlay.EndpointName]*overlay.Endpoint{},
		byNode:           map[overlay.NodeName]map[overlay.EndpointName]*overlay.Endpoint{},
		nodes:            map[overlay.NodeName]int{},
		macs:             newContest[overlay.MAC](),
		addresses:        newContest[address](),
		changedMACs:      map[overlay.MAC]struct{}{},
		changedAddresses: map[address]struct{}{},
	}
}

func (n *network) empty() bool {
	return n.resource == nil && len(n.blocks) == 0 && len(n.endpoints) == 0
}

// putEndpoint counts the new one before the old one goes: a node that only
// changes its endpoint does not leave the network in between.
func (n *network) putEndpoint(e *overlay.Endpoint, self overlay.NodeName) {
	name, node := overlay.EndpointName(e.Name), e.Spec.Node
	n.count(e, 1, self)
	if had := n.endpoints[name]; had != nil {
		n.deleteEndpoint(had, self)
	}
	n.endpoints[name] = e
	if n.byNode[node] == nil {
		n.byNode[node] = map[overlay.EndpointName]*overlay.Endpoint{}
	}
	n.byNode[node][name] = e
	n.claim(e, contest[overlay.MAC].enter, contest[address].enter)
}

func (n *network) deleteEndpoint(e *overlay.Endpoint, self overlay.NodeName) {
	name, node := overlay.EndpointName(e.Name), e.Spec.Node
	delete(n.endpoints, name)
	delete(n.byNode[node], name)
	if len(n.byNode[node]) == 0 {
		delete(n.byNode, node)
	}
	n.count(e, -1, self)
	n.claim(e, contest[overlay.MAC].leave, contest[address].leave)
}

// count keeps nodes. The frame depends on which nodes there are, and on this
// node's own endpoints.
func (n *network) count(e *overlay.Endpoint, by int, self overlay.NodeName) {
	if e.Spec.Port == overlay.PortStation {
		return
	}
	node := e.Spec.Node
	before := n.nodes[node]
	n.nodes[node] += by
	if n.nodes[node] == 0 {
		delete(n.nodes, node)
	}
	if before == 0 || before+by == 0 || node == self {
		n.reframe = true
	}
}

// claim enters or leaves the contests for all that an endpoint claims, and
// lists it as changed.
func (n *network) claim(e *overlay.Endpoint, mac func(contest[overlay.MAC], overlay.MAC, *overlay.Endpoint), ip func(contest[address], address, *overlay.Endpoint)) {
	if e.Spec.MAC.IsZero() {
		return
	}
	mac(n.macs, e.Spec.MAC, e)
	for a := range ips(e) {
		ip(n.addresses, a, e)
	}
	n.list(e)
}

func (n *network) list(e *overlay.Endpoint) {
	n.changedMACs[e.Spec.MAC] = struct{}{}
	for a := range ips(e) {
		n.changedAddresses[a] = struct{}{}
	}
}

// toggled lists what the nodes have that became members, or ceased to be.
func (n *network) toggled(had, has map[overlay.NodeName]dataplane.Member) {
	one := func(a, b map[overlay.NodeName]dataplane.Member) {
		for node := range a {
			if _, both := b[node]; !both {
				for _, e := range n.byNode[node] {
					if !e.Spec.MAC.IsZero() {
						n.list(e)
					}
				}
			}
		}
	}
	one(had, has)
	one(has, had)
}

// restation brings the entries of the listed MACs and addresses up to date, in
// out and in the Delta.
func (n *network) restation(d *dataplane.NetworkDelta, out dataplane.Network) {
	for m := range n.changedMACs {
		var node overlay.NodeName
		e, ok := n.macs.holder[m]
		if ok {
			node, ok = n.frame.remote(m, e)
		}
		record(&d.Remotes, out.Remotes, m, node, ok)
	}
	for a := range n.changedAddresses {
		var m overlay.MAC
		e, ok := n.addresses.holder[a]
		if ok {
			m, ok = n.frame.neighbor(a, e)
		}
		record(&d.Neighbors, out.Neighbors, a, m, ok)
	}
}

// record sets or removes one entry, and notes it if it was not so before.
func record[K, V comparable](c *dataplane.Changes[K, V], in map[K]V, k K, v V, there bool) {
	had, was := in[k]
	switch {
	case there && (!was || had != v):
		in[k] = v
		if c.Set == nil {
			c.Set = map[K]V{}
		}
		c.Set[k] = v
	case !there && was:
		delete(in, k)
		if c.Gone == nil {
			c.Gone = map[K]struct{}{}
		}
		c.Gone[k] = struct{}{}
	}
}

// settled: nothing is left to do.
func (n *network) settled() {
	n.rebuild, n.reframe = false, false
	// A map that was large keeps its size, and clearing it its cost.
	n.changedMACs, n.changedAddresses = map[overlay.MAC]struct{}{}, map[address]struct{}{}
}
