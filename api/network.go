package api

import (
	"net/netip"

	"weft/overlay"
)

// completeNetwork fills in a network's defaults and its VNI. What an existing
// network has, and the request does not mention, stays.
func (s *Server) completeNetwork(n overlay.Network, old *overlay.Network, d *draft) (overlay.Resource, error) {
	if old != nil {
		n.Spec = keepNetwork(n.Spec, old.Spec)
	}
	if err := check(&n); err != nil {
		return nil, err
	}
	n.Spec = n.Spec.Complete()
	if old == nil || n.Spec.MTU != old.Spec.MTU {
		if err := s.checkMTU(&n); err != nil {
			return nil, err
		}
	}
	if old != nil {
		if err := s.index.checkPeers(&n); err != nil {
			return nil, err
		}
		if err := changeable(&n, old); err != nil {
			return nil, err
		}
		return &n, s.index.aside(&n)
	}
	if n.Spec.VNI == 0 {
		v, err := s.index.chooseVNI(d)
		if err != nil {
			return nil, err
		}
		n.Spec.VNI = v
	}
	return &n, nil
}

// keepNetwork takes from the old spec what Complete would choose differently now.
func keepNetwork(spec, old overlay.NetworkSpec) overlay.NetworkSpec {
	if spec.VNI == 0 {
		spec.VNI = old.VNI
	}
	if spec.Kind == "" {
		spec.Kind = old.Kind
	}
	if spec.BlockBits4 == 0 {
		spec.BlockBits4 = old.BlockBits4
	}
	if spec.BlockBits6 == 0 {
		spec.BlockBits6 = old.BlockBits6
	}
	if len(spec.Gateways) > 0 {
		return spec
	}
	for _, p := range spec.Subnets {
		if g, ok := gatewayOf(old, overlay.FamilyOf(p.Addr())); ok && p.Contains(g) {
			spec.Gateways = append(spec.Gateways, g)
		} else if p.IsValid() {
			spec.Gateways = append(spec.Gateways, p.Masked().Addr().Next())
		}
	}
	return spec
}

func gatewayOf(spec overlay.NetworkSpec, f overlay.Family) (netip.Addr, bool) {
	for _, g := range spec.Gateways {
		if overlay.FamilyOf(g) == f {
			return g, true
		}
	}
	return netip.Addr{}, false
}

// changeable reports why a network cannot become another. Endpoints have their
// addresses, MTUs and routes from what is fixed here; a subnet may be added, or
// grow around what it was, because no endpoint can then be outside of it,
// whoever attaches one at the same time.
func changeable(n, old *overlay.Network) error {
	const hint = "make a new network, and attach the endpoints there"
	was, now := old.Spec, n.Spec
	switch {
	case now.VNI != was.VNI:
		return Invalid(hint, "%s: the VNI is %d and cannot be changed to %d", n.Key(), was.VNI, now.VNI)
	case now.Kind != was.Kind:
		return Invalid(hint, "%s: the kind is %s and cannot be changed to %s", n.Key(), was.Kind, now.Kind)
	}
	for _, p := range was.Subnets {
		f := overlay.FamilyOf(p.Addr())
		q, ok := now.Subnet(f)
		if !ok || q.Bits() > p.Bits() || !q.Contains(p.Addr()) {
			return Invalid(hint, "%s: the subnet %s can grow, but can neither shrink, move nor go", n.Key(), p)
		}
		before, _ := gatewayOf(was, f)
		if after, _ := gatewayOf(now, f); after != before {
			return Invalid(hint, "%s: the gateway is %s and cannot be changed to %s", n.Key(), before, after)
		}
		if now.BlockBits(f) != was.BlockBits(f) {
			return Invalid(hint, "%s: blocks have a prefix length of %d, which cannot be changed to %d", n.Key(), was.BlockBits(f), now.BlockBits(f))
		}
	}
	return nil
}
