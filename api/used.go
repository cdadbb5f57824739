package api

import (
	"iter"
	"net/netip"

	"weft/ipam"
	"weft/overlay"
)

// used is what is in use, kept so that choosing something free takes no longer
// in a large network than in a small one.
type used struct {
	networks map[overlay.NetworkName]*usage
	vnis     counts[overlay.VNI]
	// tunnels of each node.
	tunnels map[overlay.NodeName]map[overlay.Key]*overlay.Tunnel
}

// usage is what is in use in one network. It counts, because a thing has two
// users while a reservation becomes a resource, and while events of a hand-over
// come in the other order.
type usage struct {
	addresses counts[netip.Addr]
	macs      counts[overlay.MAC]
	blocks    map[string]*overlay.Block
	endpoints map[string]*overlay.Endpoint
	// peers are the hosts that run no Weft, with what is behind them.
	peers   []overlay.StaticPeer
	tunnels map[string]*overlay.Tunnel
	// last is the address chosen last in each range, last block likewise.
	last      map[netip.Prefix]netip.Addr
	lastBlock map[overlay.Family]netip.Prefix
}

func newUsed() used {
	return used{
		networks: map[overlay.NetworkName]*usage{}, vnis: counts[overlay.VNI]{},
		tunnels: map[overlay.NodeName]map[overlay.Key]*overlay.Tunnel{},
	}
}

// in returns a network's usage.
func (u used) in(n overlay.NetworkName) *usage {
	if u.networks[n] == nil {
		u.networks[n] = &usage{
			addresses: counts[netip.Addr]{},
			macs:      counts[overlay.MAC]{},
			blocks:    map[string]*overlay.Block{},
			endpoints: map[string]*overlay.Endpoint{},
			tunnels:   map[string]*overlay.Tunnel{},
			last:      map[netip.Prefix]netip.Addr{},
			lastBlock: map[overlay.Family]netip.Prefix{},
		}
	}
	return u.networks[n]
}

func (u used) add(r overlay.Resource) {
	switch r := r.(type) {
	case *overlay.Network:
		u.vnis[r.Spec.VNI]++
		n := u.in(overlay.NetworkName(r.Name))
		n.peers = r.Spec.Peers
		for s := range stationsOf(n.peers) {
			n.hold(s.MAC, s.Addresses)
		}
	case *overlay.Block:
		u.in(r.Network).blocks[r.Name] = r
	case *overlay.Endpoint:
		n := u.in(r.Network)
		n.endpoints[r.Name] = r
		n.hold(r.Spec.MAC, r.Spec.Addresses)
	case *overlay.Tunnel:
		if u.tunnels[r.Spec.Node] == nil {
			u.tunnels[r.Spec.Node] = map[overlay.Key]*overlay.Tunnel{}
		}
		u.tunnels[r.Spec.Node][r.Key()] = r
		u.vnis[r.Spec.VNI]++ // so that none is chosen that its node could not have then
		if r.Network != "" {
			u.in(r.Network).tunnels[r.Name] = r
		}
	}
}

func (u used) remove(r overlay.Resource) {
	switch r := r.(type) {
	case *overlay.Network:
		u.vnis.drop(r.Spec.VNI)
		n := u.in(overlay.NetworkName(r.Name))
		for s := range stationsOf(r.Spec.Peers) {
			n.release(s.MAC, s.Addresses)
		}
		if n.peers = nil; len(n.endpoints)+len(n.blocks)+len(n.tunnels) == 0 {
			delete(u.networks, overlay.NetworkName(r.Name))
		}
	case *overlay.Block:
		delete(u.in(r.Network).blocks, r.Name)
	case *overlay.Endpoint:
		n := u.in(r.Network)
		delete(n.endpoints, r.Name)
		n.release(r.Spec.MAC, r.Spec.Addresses)
	case *overlay.Tunnel:
		u.vnis.drop(r.Spec.VNI)
		if delete(u.tunnels[r.Spec.Node], r.Key()); len(u.tunnels[r.Spec.Node]) == 0 {
			delete(u.tunnels, r.Spec.Node)
		}
		if r.Network != "" {
			delete(u.in(r.Network).tunnels, r.Name)
		}
	}
}

func stationsOf(peers []overlay.StaticPeer) iter.Seq[overlay.PeerStation] {
	return func(yield func(overlay.PeerStation) bool) {
		for _, p := range peers {
			for _, s := range p.Stations {
				if !yield(s) {
					return
				}
			}
		}
	}
}

func (n *usage) hold(m overlay.MAC, addresses []netip.Addr) {
	n.macs[m]++
	for _, a := range addresses {
		n.addresses[a]++
	}
}

func (n *usage) release(m overlay.MAC, addresses []netip.Addr) {
	n.macs.drop(m)
	for _, a := range addresses {
		n.addresses.drop(a)
	}
}

// counts counts the users of each thing.
type counts[T comparable] map[T]int

func (c counts[T]) drop(v T) {
	if c[v]--; c[v] <= 0 {
		delete(c, v)
	}
}

// Has and Len implement ipam.Taken.
func (c counts[T]) Has(v T) bool { return c[v] > 0 }
func (c counts[T]) Len() int     { return len(c) }

var _ ipam.Taken = counts[netip.Addr]{}
