package plan

import (
	"maps"

	"weft/dataplane"
	"weft/overlay"
)

// For is the State of a node: the networks of the snapshot in which it has
// endpoints. Its Generation is 0; only a Planner counts.
func For(self overlay.NodeName, s *overlay.Snapshot) dataplane.State {
	return forNamed(self, s, hashName)
}

func forNamed(self overlay.NodeName, s *overlay.Snapshot, name func(portKey, int) string) dataplane.State {
	state := dataplane.State{
		Node:     self,
		Networks: map[overlay.NetworkName]dataplane.Network{},
		Held:     maps.Clone(s.Held),
		Problems: map[overlay.NetworkName][]string{},
	}
	mistakable := mistakable(s.Nodes[self], s.Tunnels, s.Paths)
	state.Tunnels, state.TunnelProblems = tunnels(s.Nodes[self], s.Tunnels[""], s.Paths, mistakable)
	everyone := make(map[overlay.NetworkName]places, len(s.Endpoints))
	keys := map[portKey]struct{}{}
	for network, endpoints := range s.Endpoints {
		at := placesOf(endpoints)
		everyone[network] = at
		for _, e := range at.on(self) {
			// Also in networks that are held or cannot be built: their devices
			// may still be on the host.
			if isPort(e) && e.Spec.Attach.Type != overlay.AttachTunnel {
				keys[keyOf(e)] = struct{}{}
			}
		}
	}
	device := devices(keys, name)
	for network, tunnels := range s.Tunnels {
		if network == "" {
			continue // they stand alone
		}
		at := everyone[network]
		if at == nil {
			at = places{}
			everyone[network] = at
		}
		for _, t := range tunnels {
			at.add(t.Port())
		}
	}
	for network, at := range everyone {
		resource, known := s.Networks[network]
		if _, held := s.Held[network]; held || !known || !at.takesPart(self) {
			continue
		}
		f, ok := settle(resource, self, s.Nodes, at, s.Chosen[network])
		if ok {
			f.tunnels = attached{s.Tunnels[network], s.Paths, mistakable}
			state.Networks[network] = f.build(at, s.Blocks[network], device)
		}
		if problems := f.allProblems(); len(problems) > 0 {
			state.Problems[network] = problems
		}
	}
	return state
}

// build makes the collections of a network that settled.
func (f *frame) build(at places, blocks map[string]*overlay.Block, device map[portKey]string) dataplane.Network {
	n := f.buildSmall(at, blocks, device)
	if f.Kind == overlay.Bridged {
		n.Remotes, n.Neighbors = f.stations(at)
	}
	return n
}

// buildSmall leaves out who has which MAC and address, the large collections.
func (f *frame) buildSmall(at places, blocks map[string]*overlay.Block, device map[portKey]string) dataplane.Network {
	n := dataplane.Network{
		Ports:   f.ports(at.on(overlay.NodeName(f.self.Name)), device),
		Members: f.members,
		Routes:  f.routes(blocks),
	}
	n.Settings = f.Settings // routes has found this node's blocks
	return n
}
