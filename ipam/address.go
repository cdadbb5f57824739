package ipam

import (
	"fmt"
	"net/netip"

	"weft/overlay"
)

// Pool is what an endpoint's address is chosen from.
type Pool struct {
	// Subnet is the network's.
	Subnet netip.Prefix
	// Range is the part of it to choose from: the subnet itself on a bridged
	// network, the node's block on a routed one.
	Range netip.Prefix
	// Gateway is the gateway's address in the subnet; no endpoint gets it.
	Gateway netip.Addr
}

// PoolOf is the pool in a network's range: one of its subnets, or a block of one.
func PoolOf(spec overlay.NetworkSpec, within netip.Prefix) Pool {
	f := overlay.FamilyOf(within.Addr())
	p := Pool{Range: within}
	p.Subnet, _ = spec.Subnet(f)
	for _, g := range spec.Gateways {
		if overlay.FamilyOf(g) == f {
			p.Gateway = g
		}
	}
	return p
}

// Taken says which addresses are in use. It may know of addresses outside the
// pool that it is used with.
type Taken interface {
	Has(netip.Addr) bool
	// Len is how many there are: more than that need not be looked at before
	// one that is free comes up.
	Len() int
}

// Addresses is the plain form of Taken.
type Addresses map[netip.Addr]struct{}

// Has implements Taken.
func (s Addresses) Has(a netip.Addr) bool { _, ok := s[a]; return ok }

// Len implements Taken.
func (s Addresses) Len() int { return len(s) }

// Check reports, as an AddressError, why a cannot be an endpoint's.
func (p Pool) Check(a netip.Addr) error {
	switch {
	case !p.Range.Contains(a):
		return &AddressError{Address: a, Pool: p, Reason: Foreign}
	case a == p.Gateway:
		return &AddressError{Address: a, Pool: p, Reason: IsGateway}
	case p.reserved(a):
		return &AddressError{Address: a, Pool: p, Reason: Reserved}
	}
	return nil
}

// reserved: a block's first and last address are left out like the subnet's.
// The first is the next hop under which the other nodes reach the block.
func (p Pool) reserved(a netip.Addr) bool {
	return overlay.IsReserved(p.Subnet, a) || overlay.IsReserved(p.Range, a)
}

// usable is how many addresses of the range endpoints can have.
func (p Pool) usable() uint64 {
	n := size(p.Range)
	for a := range p.unusable() {
		if p.Range.Contains(a) {
			n--
		}
	}
	return n
}

// unusable is the set of addresses that Check refuses though they may be in the range.
func (p Pool) unusable() Addresses {
	s := Addresses{}
	for _, q := range []netip.Prefix{p.Subnet, p.Range} {
		for _, a := range []netip.Addr{q.Masked().Addr(), overlay.LastAddr(q)} {
			if overlay.IsReserved(q, a) {
				s[a] = struct{}{}
			}
		}
	}
	if p.Gateway.IsValid() {
		s[p.Gateway] = struct{}{}
	}
	return s
}

// NextAddress chooses a free address: the first behind after, going round at
// the end of the range. after is the address given last; when it is not in
// the range (the zero Addr is not) choosing begins at the first. The error is
// an ExhaustedError.
//
// One of any Len+1 different usable addresses is free, so the loop ends early
// in an IPv6 subnet too, however large it is.
func (p Pool) NextAddress(taken Taken, after netip.Addr) (netip.Addr, error) {
	first, last := p.Range.Masked().Addr(), overlay.LastAddr(p.Range)
	a := first
	if p.Range.Contains(after) && after != last {
		a = after.Next()
	}
	tries := min(size(p.Range), uint64(taken.Len()+len(p.unusable())+1))
	for range tries {
		if p.Check(a) == nil && !taken.Has(a) {
			return a, nil
		}
		if a == last {
			a = first
		} else {
			a = a.Next()
		}
	}
	return netip.Addr{}, p.exhausted()
}

func (p Pool) exhausted() error {
	usable := p.usable()
	e := &ExhaustedError{What: "address", Range: fmt.Sprintf("subnet %s", p.Subnet), Taken: usable, Usable: usable,
		Hint: "detach endpoints that are no longer needed, or make a network with a larger subnet"}
	if p.Range != p.Subnet {
		e.Range = fmt.Sprintf("block %s of this node", p.Range)
		e.Hint = "detach endpoints of this node that are no longer needed, or make a network with larger blocks"
	}
	return e
}

// size is the number of addresses in p; 2^64-1 stands for all that are more.
func size(p netip.Prefix) uint64 {
	host := overlay.FamilyOf(p.Addr()).Bits() - p.Bits()
	if host >= 64 {
		return 1<<64 - 1
	}
	return 1 << host
}
