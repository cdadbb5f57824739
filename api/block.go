package api

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"weft/ipam"
	"weft/overlay"
	"weft/store"
)

// chooseInBlock chooses an address for an endpoint on a routed network: in one
// of its node's blocks of the subnet, or in a new one when these are full.
func (s *Server) chooseInBlock(ctx context.Context, e *overlay.Endpoint, n *overlay.Network, subnet netip.Prefix, d *draft) (netip.Addr, *overlay.Block, error) {
	for {
		blocks := s.index.blocks(e.Network, e.Spec.Node, subnet)
		for _, b := range blocks {
			a, err := s.index.chooseAddress(e.Network, ipam.PoolOf(n.Spec, b.Spec.Prefix), d)
			var full *ipam.ExhaustedError
			if !errors.As(err, &full) {
				return a, b, err
			}
		}
		if err := s.makeBlock(ctx, e, n, subnet, len(blocks)); err != nil {
			return netip.Addr{}, nil, err
		}
	}
}

// makeBlock gives the endpoint's node another block, unless it has got one since
// it had that many, be it through another server. If another node was faster,
// the next free one is taken.
func (s *Server) makeBlock(ctx context.Context, e *overlay.Endpoint, n *overlay.Network, subnet netip.Prefix, had int) error {
	s.blocks.Lock()
	defer s.blocks.Unlock()
	var lost []netip.Prefix
	for len(s.index.blocks(e.Network, e.Spec.Node, subnet)) <= had {
		prefix, err := s.index.chooseBlock(e.Network, subnet, n.Spec.BlockBits(overlay.FamilyOf(subnet.Addr())), lost)
		if err != nil {
			return err
		}
		k, err := s.putBlock(ctx, e, prefix)
		if !isTaken(err) {
			return err
		}
		s.index.changed(ctx, k, 0, s.patience)
		lost = append(lost, prefix)
	}
	return nil
}

// blockFor is the node's block that has the address; it is made if there is none.
func (s *Server) blockFor(ctx context.Context, e *overlay.Endpoint, n *overlay.Network, a netip.Addr) (*overlay.Block, error) {
	s.blocks.Lock()
	defer s.blocks.Unlock()
	b := s.index.blockOf(e.Network, a)
	if b == nil {
		prefix := netip.PrefixFrom(a, n.Spec.BlockBits(overlay.FamilyOf(a))).Masked()
		if peer, theirs, ok := peerWith(n.Spec.Peers, prefix); ok {
			return nil, Invalid("ask for none to have one of this node's chosen",
				"%s: address %s takes block %s, and peer %s has %s", e.Key(), a, prefix, peer.Address, theirs)
		}
		if k, err := s.putBlock(ctx, e, prefix); isTaken(err) {
			s.index.changed(ctx, k, 0, s.patience)
		} else if err != nil {
			return nil, err
		}
		if b = s.index.blockOf(e.Network, a); b == nil {
			return nil, errOvertaken
		}
	}
	if b.Spec.Node != e.Spec.Node {
		return nil, Invalid("ask for none to have one of this node's chosen, or attach the endpoint there",
			"%s: address %s is in the block %s of node %s", e.Key(), a, b.Spec.Prefix, b.Spec.Node)
	}
	return b, ipam.PoolOf(n.Spec, b.Spec.Prefix).Check(a)
}

func (s *Server) putBlock(ctx context.Context, e *overlay.Endpoint, prefix netip.Prefix) (overlay.Key, error) {
	b := &overlay.Block{
		Meta: overlay.Meta{Kind: overlay.KindBlock, Network: e.Network, Name: overlay.BlockName(prefix)},
		Spec: overlay.BlockSpec{Node: e.Spec.Node, Prefix: prefix},
	}
	_, _, err := s.update(ctx, store.Change{Put: b, Expect: store.Absent})
	var missing *store.MissingError
	if errors.As(err, &missing) { // it is the endpoint that people asked for
		err = &store.MissingError{Key: e.Key(), Need: missing.Need}
	}
	return b.Key(), err
}

// peerWith is the peer that has a part of a prefix, and which part.
func peerWith(peers []overlay.StaticPeer, prefix netip.Prefix) (overlay.StaticPeer, netip.Prefix, bool) {
	for _, p := range peers {
		if i := slices.IndexFunc(p.Blocks, prefix.Overlaps); i >= 0 {
			return p, p.Blocks[i], true
		}
	}
	return overlay.StaticPeer{}, netip.Prefix{}, false
}

// checkPeers reports what of a network's peers its nodes have already.
func (x *index) checkPeers(n *overlay.Network) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.used.in(overlay.NetworkName(n.Name)).blocks {
		if peer, theirs, ok := peerWith(n.Spec.Peers, b.Spec.Prefix); ok {
			return Invalid("detach the endpoints there, or give the peer another block",
				"%s: peer %s has block %s, and node %s has %s", n.Key(), peer.Address, theirs, b.Spec.Node, b.Spec.Prefix)
		}
	}
	return nil
}

// isTaken reports whether somebody else has the block.
func isTaken(err error) bool {
	var conflict *store.ConflictError
	var claimed *store.ClaimedError
	return errors.As(err, &conflict) || errors.As(err, &claimed)
}

// blocks are a node's blocks of a subnet, in order of their addresses.
func (x *index) blocks(n overlay.NetworkName, node overlay.NodeName, subnet netip.Prefix) []*overlay.Block {
	x.mu.Lock()
	defer x.mu.Unlock()
	var list []*overlay.Block
	for _, b := range x.used.in(n).blocks {
		if b.Spec.Node == node && subnet.Contains(b.Spec.Prefix.Addr()) {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *overlay.Block) int { return a.Spec.Prefix.Addr().Compare(b.Spec.Prefix.Addr()) })
	return list
}

// blockOf is the block that has an address, whoever's it is, or nil.
func (x *index) blockOf(n overlay.NetworkName, a netip.Addr) *overlay.Block {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.used.in(n).blocks {
		if b.Spec.Prefix.Contains(a) {
			return b
		}
	}
	return nil
}

// chooseBlock chooses a free prefix, beside those lost to somebody else.
func (x *index) chooseBlock(n overlay.NetworkName, subnet netip.Prefix, bits int, lost []netip.Prefix) (netip.Prefix, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.used.in(n)
	taken := slices.Clone(lost)
	for _, b := range u.blocks {
		taken = append(taken, b.Spec.Prefix)
	}
	for _, p := range u.peers {
		taken = append(taken, p.Blocks...)
	}
	f := overlay.FamilyOf(subnet.Addr())
	p, err := ipam.NextBlock(subnet, bits, taken, u.lastBlock[f])
	if err == nil {
		u.lastBlock[f] = p
	}
	return p, err
}
