package plan

import (
	"maps"

	"weft/dataplane"
	"weft/overlay"
)

// network is what a Planner knows of a network, and what it has to do about it.
type network struct {
	resource  *overlay.Network // nil: not known yet
	blocks    map[string]*overlay.Block
	endpoints map[overlay.EndpointName]*overlay.Endpoint
	places    places
	macs      contest[overlay.MAC]
	addresses contest[address]

	// frame is the one that the State was made with; nil while it has none.
	frame *frame
	// rebuild: everything may have changed. reframe: all but who has which
	// MAC and address, which are listed. replug: this node's ports, and the stations
	// behind them.
	rebuild, reframe, replug bool
	changedMACs              map[overlay.MAC]struct{}
	changedAddresses         map[address]struct{}
}

func newNetwork() *network {
	return &network{
		blocks:           map[string]*overlay.Block{},
		endpoints:        map[overlay.EndpointName]*overlay.Endpoint{},
		places:           places{},
		macs:             newContest[overlay.MAC](),
		addresses:        newContest[address](),
		changedMACs:      map[overlay.MAC]struct{}{},
		changedAddresses: map[address]struct{}{},
	}
}

func (n *network) empty() bool {
	return n.resource == nil && len(n.blocks) == 0 && len(n.endpoints) == 0
}

// putEndpoint adds the new one before the old one goes: a node that only
// changes its endpoint does not leave the network in between.
func (n *network) putEndpoint(e *overlay.Endpoint, self overlay.NodeName) {
	had := n.endpoints[overlay.EndpointName(e.Name)]
	if had == e {
		return
	}
	took := n.places.takesPart(e.Spec.Node)
	n.places.add(e)
	n.claim(e, contest[overlay.MAC].enter, contest[address].enter)
	n.reframe = n.reframe || took != n.places.takesPart(e.Spec.Node)
	n.replug = n.replug || e.Spec.Node == self
	if had != nil {
		n.deleteEndpoint(had, self)
	}
	n.endpoints[overlay.EndpointName(e.Name)] = e
}

func (n *network) deleteEndpoint(e *overlay.Endpoint, self overlay.NodeName) {
	delete(n.endpoints, overlay.EndpointName(e.Name))
	n.places.remove(e)
	n.claim(e, contest[overlay.MAC].leave, contest[address].leave)
	n.reframe = n.reframe || isPort(e) && !n.places.takesPart(e.Spec.Node)
	n.replug = n.replug || e.Spec.Node == self
}

// claim enters or leaves the contests for all that an endpoint claims, and
// lists it.
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

// list notes what an endpoint claims as changed. A network that is going to be
// built as a whole needs no list: an agent that starts puts them all.
func (n *network) list(e *overlay.Endpoint) {
	if n.rebuild || n.frame == nil {
		return
	}
	n.changedMACs[e.Spec.MAC] = struct{}{}
	for a := range ips(e) {
		n.changedAddresses[a] = struct{}{}
	}
}

// toggled lists what the nodes have that became members, or ceased to be.
func (n *network) toggled(had map[overlay.NodeName]dataplane.Member, d dataplane.Changes[overlay.NodeName, dataplane.Member]) {
	list := func(node overlay.NodeName) {
		for _, e := range n.places.on(node) {
			if !e.Spec.MAC.IsZero() {
				n.list(e)
			}
		}
	}
	toggled := maps.Clone(d.Gone)
	if toggled == nil {
		toggled = map[overlay.NodeName]struct{}{}
	}
	for node := range d.Set {
		if _, was := had[node]; !was {
			toggled[node] = struct{}{}
		}
	}
	for node := range toggled {
		list(node)
	}
	n.listPeers(toggled)
}

// restation brings the entries of the listed MACs and addresses up to date, in
// out and in the Delta.
func (n *network) restation(d *dataplane.NetworkDelta, out dataplane.Network) {
	if n.frame.Kind != overlay.Bridged {
		return
	}
	counts := func(e *overlay.Endpoint) bool {
		known, _ := n.frame.standing(e.Spec.Node)
		return known && n.frame.hasMAC(e)
	}
	for m := range n.changedMACs {
		if peer, ok := n.frame.strangers.macs[m]; ok {
			record(&d.Remotes, out.Remotes, m, peer, true)
			continue
		}
		e := n.macs.holder(m, counts)
		if e == nil || e.Spec.Node == overlay.NodeName(n.frame.self.Name) {
			record(&d.Remotes, out.Remotes, m, "", false)
		} else {
			record(&d.Remotes, out.Remotes, m, e.Spec.Node, true)
		}
	}
	for a := range n.changedAddresses {
		if mac, ok := n.frame.strangers.addresses[a]; ok {
			record(&d.Neighbors, out.Neighbors, a, mac, true)
			continue
		}
		e := n.addresses.holder(a, counts)
		if e == nil || n.frame.isGateway(a) {
			record(&d.Neighbors, out.Neighbors, a, overlay.MAC{}, false)
		} else {
			record(&d.Neighbors, out.Neighbors, a, e.Spec.MAC, true)
		}
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
	n.rebuild, n.reframe, n.replug = false, false, false
	// A map that was large keeps its size, and clearing it its cost.
	n.changedMACs, n.changedAddresses = map[overlay.MAC]struct{}{}, map[address]struct{}{}
}
