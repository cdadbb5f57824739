package plan

import (
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// strangers are the stations behind a network's peers, which run no Weft.
type strangers struct {
	macs      map[overlay.MAC]overlay.NodeName
	addresses map[address]overlay.MAC
}

// admitPeers makes the network's peers members, but for this node itself: one declaration can
// list both ends.
func (f *frame) admitPeers() {
	f.strangers = strangers{map[overlay.MAC]overlay.NodeName{}, map[address]overlay.MAC{}}
	for _, p := range f.spec.Peers {
		if f.isSelf(p) {
			continue
		}
		if node, is := f.memberAt(p.Address); is {
			f.refuse("peer %s is node %s, of which the registry knows: what is said of the peer is left out", p.Address, node)
			continue
		}
		f.members[p.Name()] = dataplane.Member{VTEP: p.Address, VTEPMAC: p.VTEPMAC}
		for _, s := range p.Stations {
			if s.MAC == f.GatewayMAC {
				continue // as with endpoints, see hasMAC
			}
			f.strangers.macs[s.MAC] = p.Name()
			for _, a := range s.Addresses {
				f.strangers.addresses[a] = s.MAC
			}
			f.strangers.addresses[s.MAC.LinkLocal()] = s.MAC
		}
	}
}

func (f *frame) isSelf(p overlay.StaticPeer) bool {
	own, has := f.self.Underlay(overlay.FamilyOf(p.Address))
	return has && own.Addr() == p.Address
}

// memberAt is the member that has a VTEP; the first, as a store that two of its watches show
// may have two for a moment.
func (f *frame) memberAt(vtep netip.Addr) (first overlay.NodeName, found bool) {
	for name, m := range f.members {
		if m.VTEP == vtep && (!found || name < first) {
			first, found = name, true
		}
	}
	return first, found
}

// routePeers adds the routes to the blocks of peers, which no other node has: they are claimed.
func (f *frame) routePeers(routes map[netip.Prefix]dataplane.Route) {
	for _, p := range f.spec.Peers {
		if _, member := f.members[p.Name()]; !member {
			continue
		}
		for _, b := range p.Blocks {
			if slices.Contains(f.Blocks, b) {
				f.refuse("block %s of peer %s is this node's, too: no route leads there", b, p.Address)
				continue
			}
			routes[b] = dataplane.Route{Node: p.Name()}
		}
	}
}

// listPeers lists what is behind those peers that became members, or ceased to be.
func (n *network) listPeers(toggled map[overlay.NodeName]struct{}) {
	for _, p := range n.resource.Spec.Peers {
		if _, is := toggled[p.Name()]; !is {
			continue
		}
		for _, s := range p.Stations {
			n.changedMACs[s.MAC] = struct{}{}
			n.changedAddresses[s.MAC.LinkLocal()] = struct{}{}
			for _, a := range s.Addresses {
				n.changedAddresses[a] = struct{}{}
			}
		}
	}
}
