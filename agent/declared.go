package agent

import (
	"cmp"
	"crypto/sha256"
	"net/netip"
	"slices"

	"weft/api"
	"weft/api/agentapi"
	"weft/overlay"
)

// declared are the resources of a declaration, complete, in the order in which they need each
// other. What a server would choose follows from names: there is nobody else to choose otherwise.
func declared(self overlay.NodeName, d agentapi.Declaration) ([]overlay.Resource, error) {
	var all []overlay.Resource
	networks := map[overlay.NetworkName]*overlay.Network{}
	for _, n := range d.Networks {
		if n.Spec.VNI == 0 {
			return nil, api.Invalid("without a server nobody chooses one", "network %s: give it a VNI that its peers have too", n.Name)
		}
		c := *n
		c.Kind, c.Spec = overlay.KindNetwork, c.Spec.Complete()
		networks[overlay.NetworkName(c.Name)] = &c
		all = append(all, &c)
	}
	for _, e := range d.Endpoints {
		c := *e
		c.Kind = overlay.KindEndpoint
		if err := here(self, d.Node, &c.Spec.Node, c.Key()); err != nil {
			return nil, err
		}
		n := networks[c.Network]
		if n == nil {
			return nil, api.Invalid("declare it in the same file", "%s: there is no network %s", c.Key(), c.Network)
		}
		blocks, err := complete(&c, n)
		if err != nil {
			return nil, err
		}
		for _, b := range blocks {
			if !slices.ContainsFunc(all, func(r overlay.Resource) bool { return r.Key() == b.Key() }) {
				all = append(all, b)
			}
		}
		all = append(all, &c)
	}
	for _, t := range d.Tunnels {
		c := *t
		c.Kind = overlay.KindTunnel
		if err := here(self, d.Node, &c.Spec.Node, c.Key()); err != nil {
			return nil, err
		}
		all = append(all, &c)
	}
	for _, r := range all {
		if err := r.Validate(); err != nil {
			return nil, api.Invalid("", "%v", err)
		}
	}
	return all, nil
}

// here fills in the node, or refuses another one than this host, which the file may call by another name.
func here(self, called overlay.NodeName, node *overlay.NodeName, k overlay.Key) error {
	if *node != "" && *node != self && *node != called {
		return api.Invalid("leave the node out, or declare a Node of that name in the file, which is this host",
			"%s is for node %s, and this is node %s", k, *node, cmp.Or(called, self))
	}
	*node = self
	return nil
}

// complete gives an endpoint what a server would, and returns the blocks that its addresses are from.
func complete(e *overlay.Endpoint, n *overlay.Network) ([]*overlay.Block, error) {
	s := &e.Spec
	if s.Attach.Type == overlay.AttachNetns {
		if s.Lifetime == "" {
			s.Lifetime = overlay.Kept
		}
		id, err := namespace(s.Attach.Target)
		if err != nil {
			return nil, err
		}
		s.Attach.Identity = id
	}
	if s.Port != overlay.PortSingle {
		return nil, nil
	}
	if len(s.Addresses) == 0 {
		return nil, api.Invalid("without a server nobody chooses one", "%s: give it an address in %v", e.Key(), n.Spec.Subnets)
	}
	if s.MAC.IsZero() {
		s.MAC = macOf(e.Key())
	}
	var blocks []*overlay.Block
	for _, a := range s.Addresses {
		subnet, ok := n.Spec.Subnet(overlay.FamilyOf(a))
		switch {
		case !ok || !subnet.Contains(a) || overlay.IsReserved(subnet, a):
			return nil, api.Invalid("", "%s: address %s is none of network %s's, which has %v", e.Key(), a, n.Name, n.Spec.Subnets)
		case slices.Contains(n.Spec.Gateways, a):
			return nil, api.Invalid("give it another one", "%s: address %s is network %s's gateway", e.Key(), a, n.Name)
		case n.Spec.Kind == overlay.Routed:
			p := netip.PrefixFrom(a, n.Spec.BlockBits(overlay.FamilyOf(a))).Masked()
			b := overlay.New(overlay.KindBlock).(*overlay.Block)
			b.Network, b.Name, b.Spec = e.Network, overlay.BlockName(p), overlay.BlockSpec{Node: s.Node, Prefix: p}
			blocks = append(blocks, b)
			s.Blocks = append(s.Blocks, b.Name)
		}
	}
	return blocks, nil
}

// macOf is a MAC that follows from an endpoint's name: locally administered, unicast.
func macOf(k overlay.Key) overlay.MAC {
	sum := sha256.Sum256([]byte("weft endpoint " + string(k.Network) + "/" + k.Name))
	return overlay.MAC{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}
}
