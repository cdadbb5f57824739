package plan

import (
	"iter"
	"maps"

	"weft/overlay"
)

// ips yields the addresses of an endpoint, the link-local one last: what
// Endpoint.IPs returns, without a slice for each of 100,000.
func ips(e *overlay.Endpoint) iter.Seq[address] {
	return func(yield func(address) bool) {
		for _, a := range e.Spec.Addresses {
			if !yield(a) {
				return
			}
		}
		if !e.Spec.MAC.IsZero() {
			yield(e.Spec.MAC.LinkLocal())
		}
	}
}

// outdates says which of two resources that claim the same thing has it: the
// one written last; the names decide between equals, so that every node and
// every order of events agree.
func outdates(a, b *overlay.Meta) bool {
	if a.Revision != b.Revision {
		return a.Revision > b.Revision
	}
	return a.Name < b.Name
}

// standing says whether the endpoints of a node count: those of this node and
// of the members do, which are remote.
func (f *frame) standing(node overlay.NodeName) (known, remote bool) {
	if node == overlay.NodeName(f.self.Name) {
		return true, false
	}
	_, remote = f.members[node]
	remote = remote && !f.Group.IsValid() // what is behind a group's members is learnt
	return remote, remote
}

// hasMAC: gateways are on every node, and nobody else is believed to have
// their MAC.
func (f *frame) hasMAC(e *overlay.Endpoint) bool {
	return !e.Spec.MAC.IsZero() && e.Spec.MAC != f.GatewayMAC
}

// isGateway: gateways' addresses have no entry, as every node answers itself.
func (f *frame) isGateway(a address) bool {
	for _, g := range f.Gateways {
		if a == g.Addr() {
			return true
		}
	}
	return false
}

// stations makes the FDB and the neighbours of a bridged network. Nearly always
// each MAC and each address has one claimant, and nothing is to be decided.
func (f *frame) stations(at places) (map[overlay.MAC]overlay.NodeName, map[address]overlay.MAC) {
	size := 0
	for _, p := range at {
		size += len(p.endpoints)
	}
	t := newTables(size, size*(1+len(f.Gateways)))
	for node, p := range at {
		if known, remote := f.standing(node); known {
			t.enter(f, node, remote, p.endpoints)
		}
	}
	if t.contested() {
		f.decide(at, t)
	}
	for _, g := range f.Gateways {
		delete(t.neighbors, g.Addr())
	}
	maps.Copy(t.remotes, f.strangers.macs)
	maps.Copy(t.neighbors, f.strangers.addresses)
	return t.remotes, t.neighbors
}

// decide gives what several claim to the last that was written.
func (f *frame) decide(at places, t *tables) {
	macs, addresses := map[overlay.MAC]*overlay.Endpoint{}, map[address]*overlay.Endpoint{}
	for node, p := range at {
		if known, _ := f.standing(node); !known {
			continue
		}
		for _, e := range p.endpoints {
			if !f.hasMAC(e) {
				continue
			}
			take(macs, e.Spec.MAC, e)
			for a := range ips(e) {
				take(addresses, a, e)
			}
		}
	}
	for a, e := range addresses {
		t.neighbors[a] = e.Spec.MAC
	}
	for m, e := range macs {
		if _, remote := f.standing(e.Spec.Node); remote {
			t.remotes[m] = e.Spec.Node
		} else {
			delete(t.remotes, m)
		}
	}
}

func take[K comparable](holders map[K]*overlay.Endpoint, k K, e *overlay.Endpoint) {
	if had, ok := holders[k]; !ok || outdates(&e.Meta, &had.Meta) {
		holders[k] = e
	}
}
