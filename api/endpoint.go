package api

import (
	"context"
	"net/netip"
	"slices"

	"weft/ipam"
	"weft/overlay"
	"weft/store"
)

// completeEndpoint fills in an endpoint's MAC and addresses, and on a routed
// network the blocks that these are from. What an existing endpoint has, and the
// request does not mention, stays.
func (s *Server) completeEndpoint(ctx context.Context, e overlay.Endpoint, old *overlay.Endpoint, d *draft) (overlay.Resource, error) {
	endpointDefaults(&e, old)
	if err := check(&e); err != nil {
		return nil, err
	}
	n, err := s.networkOf(ctx, &e)
	if err != nil {
		return nil, err
	}
	if err := fits(&e, old, n); err != nil {
		return nil, err
	}
	if err := s.index.meets(n, e.Spec.Node); err != nil {
		return nil, err
	}
	if e.Spec.Port == overlay.PortSegment {
		return &e, nil
	}
	switch {
	case old != nil && e.Spec.Node == old.Spec.Node && slices.Equal(e.Spec.Addresses, old.Spec.Addresses):
		e.Spec.Blocks = old.Spec.Blocks
	case e.Spec.Port == overlay.PortSingle && len(e.Spec.Addresses) == 0:
		err = s.chooseAddresses(ctx, &e, n, d)
	default:
		err = s.checkAddresses(ctx, &e, n)
	}
	if err == nil && e.Spec.MAC.IsZero() {
		e.Spec.MAC, err = s.chooseMAC(e.Network, e.Spec.Addresses, d)
	}
	return &e, err
}

func endpointDefaults(e, old *overlay.Endpoint) {
	spec := &e.Spec
	spec.Addresses = slices.Clone(spec.Addresses)
	spec.Blocks = nil
	if spec.Port == "" {
		spec.Port = overlay.PortSingle
		if spec.Attach.Type == overlay.AttachBridge {
			spec.Port = overlay.PortSegment
		}
	}
	if spec.Attach.Type == overlay.AttachNetns {
		if spec.Attach.Interface == "" {
			spec.Attach.Interface = "eth0"
		}
		if spec.Lifetime == "" {
			spec.Lifetime = overlay.Bound
		}
	}
	if old == nil || spec.Port != overlay.PortSingle {
		return
	}
	if spec.MAC.IsZero() {
		spec.MAC = old.Spec.MAC
	}
	if len(spec.Addresses) == 0 {
		spec.Addresses = slices.Clone(old.Spec.Addresses)
	}
}

// networkOf is the network of an endpoint, block or tunnel.
func (s *Server) networkOf(ctx context.Context, r overlay.Resource) (*overlay.Network, error) {
	return needed[overlay.Network](ctx, s, r, overlay.Key{Kind: overlay.KindNetwork, Name: string(r.Key().Network)})
}

// needed is what a resource needs. What was made a moment ago through another server may
// still be on its way here.
func needed[T any, P interface {
	*T
	overlay.Resource
}](ctx context.Context, s *Server, by overlay.Resource, k overlay.Key) (P, error) {
	if s.index.get(k) == nil {
		s.index.changed(ctx, k, 0, s.patience)
	}
	if r := lookup[T, P](s.index, k); r != nil {
		return r, nil
	}
	return nil, &store.MissingError{Key: by.Key(), Need: k}
}

// fits reports why the network cannot have the endpoint, or old not become it.
func fits(e, old *overlay.Endpoint, n *overlay.Network) error {
	switch {
	case n.Spec.Kind == overlay.Routed && e.Spec.Port != overlay.PortSingle:
		return Invalid("make a network of kind bridged for it", "%s: network %s is routed, and what is behind a bridge is not", e.Key(), n.Name)
	case e.Spec.MAC == n.Spec.VNI.GatewayMAC():
		return Invalid("ask for another one, or for none to have one chosen", "%s: MAC %s is that of the network's gateway", e.Key(), e.Spec.MAC)
	case old == nil:
		return nil
	case old.Spec.Port != e.Spec.Port:
		return Invalid("detach it first", "%s: its port is %s and cannot become %s", e.Key(), old.Spec.Port, e.Spec.Port)
	}
	return nil
}

// chooseAddresses chooses one address of each of the network's families.
func (s *Server) chooseAddresses(ctx context.Context, e *overlay.Endpoint, n *overlay.Network, d *draft) error {
	for _, subnet := range n.Spec.Subnets {
		if n.Spec.Kind == overlay.Bridged {
			a, err := s.index.chooseAddress(e.Network, ipam.PoolOf(n.Spec, subnet), d)
			if err != nil {
				return err
			}
			e.Spec.Addresses = append(e.Spec.Addresses, a)
			continue
		}
		a, block, err := s.chooseInBlock(ctx, e, n, subnet, d)
		if err != nil {
			return err
		}
		e.Spec.Addresses = append(e.Spec.Addresses, a)
		e.Spec.Blocks = append(e.Spec.Blocks, block.Name)
	}
	return nil
}

// checkAddresses reports why the endpoint cannot have the addresses that were
// asked for. Stations have the addresses that they have, also foreign ones; only
// the gateway's is refused to them.
func (s *Server) checkAddresses(ctx context.Context, e *overlay.Endpoint, n *overlay.Network) error {
	for _, a := range e.Spec.Addresses {
		subnet, ok := n.Spec.Subnet(overlay.FamilyOf(a))
		station := e.Spec.Port == overlay.PortStation
		switch {
		case station && slices.Contains(n.Spec.Gateways, a):
			return Invalid("give the network another gateway, or the station another address", "%s: address %s is the network's gateway", e.Key(), a)
		case station:
			continue
		case !ok:
			return Invalid("ask for one in "+prefixes(n.Spec.Subnets)+", or for none to have one chosen",
				"%s: network %s has no subnet for address %s", e.Key(), n.Name, a)
		}
		if err := ipam.PoolOf(n.Spec, subnet).Check(a); err != nil {
			return err
		}
		if n.Spec.Kind == overlay.Routed {
			block, err := s.blockFor(ctx, e, n, a)
			if err != nil {
				return err
			}
			e.Spec.Blocks = append(e.Spec.Blocks, block.Name)
		}
	}
	return nil
}

func prefixes(list []netip.Prefix) string {
	text := ""
	for i, p := range list {
		if i > 0 {
			text += " or "
		}
		text += p.String()
	}
	return text
}
