package overlay

import "maps"

// Snapshot is what a node knows of the store: all nodes, and the networks that
// it takes part in with their blocks, endpoints and tunnels. Readers share it: the maps
// and what they point to are never changed after it was handed out.
type Snapshot struct {
	Revision Revision
	Nodes    map[NodeName]*Node
	Networks map[NetworkName]*Network
	// Blocks and Endpoints are keyed by network first: a network is looked at
	// or dropped as a whole.
	Blocks    map[NetworkName]map[string]*Block
	Endpoints map[NetworkName]map[EndpointName]*Endpoint
	// Tunnels are those of the networks, and of network "" those of the node that stand alone.
	Tunnels map[NetworkName]map[TunnelName]*Tunnel
	// Held networks stay on the host as they are: the reason is that they have
	// something this version does not understand.
	Held map[NetworkName]string
	// Chosen are the planes that the node has chosen before for networks which leave that
	// to it. It stays with them.
	Chosen map[NetworkName]PlaneName
	// Paths are what the node has found out of its tunnels' peers.
	Paths map[Key]TunnelPath
}

// NewSnapshot returns an empty snapshot that can be added to.
func NewSnapshot() *Snapshot {
	return &Snapshot{
		Nodes:     map[NodeName]*Node{},
		Networks:  map[NetworkName]*Network{},
		Blocks:    map[NetworkName]map[string]*Block{},
		Endpoints: map[NetworkName]map[EndpointName]*Endpoint{},
		Tunnels:   map[NetworkName]map[TunnelName]*Tunnel{},
		Held:      map[NetworkName]string{},
		Chosen:    map[NetworkName]PlaneName{},
		Paths:     map[Key]TunnelPath{},
	}
}

// Put adds or replaces a resource; tokens are not part of a snapshot.
func (s *Snapshot) Put(r Resource) {
	switch r := r.(type) {
	case *Node:
		s.Nodes[NodeName(r.Name)] = r
	case *Network:
		s.Networks[NetworkName(r.Name)] = r
	case *Block:
		in(s.Blocks, r.Network)[r.Name] = r
	case *Endpoint:
		in(s.Endpoints, r.Network)[EndpointName(r.Name)] = r
	case *Tunnel:
		in(s.Tunnels, r.Network)[TunnelName(r.Name)] = r
	}
}

// Delete removes a resource, if it is there.
func (s *Snapshot) Delete(k Key) {
	switch k.Kind {
	case KindNode:
		delete(s.Nodes, NodeName(k.Name))
	case KindNetwork:
		delete(s.Networks, NetworkName(k.Name))
	case KindBlock:
		remove(s.Blocks, k.Network, k.Name)
	case KindEndpoint:
		remove(s.Endpoints, k.Network, EndpointName(k.Name))
	case KindTunnel:
		remove(s.Tunnels, k.Network, TunnelName(k.Name))
	}
}

// Clone copies the maps, not the resources.
func (s *Snapshot) Clone() *Snapshot {
	return &Snapshot{
		Revision:  s.Revision,
		Nodes:     maps.Clone(s.Nodes),
		Networks:  maps.Clone(s.Networks),
		Blocks:    cloneEach(s.Blocks),
		Endpoints: cloneEach(s.Endpoints),
		Tunnels:   cloneEach(s.Tunnels),
		Held:      maps.Clone(s.Held),
		Chosen:    maps.Clone(s.Chosen),
		Paths:     maps.Clone(s.Paths),
	}
}

func cloneEach[K comparable, V any](m map[NetworkName]map[K]V) map[NetworkName]map[K]V {
	c := make(map[NetworkName]map[K]V, len(m))
	for n, inner := range m {
		c[n] = maps.Clone(inner)
	}
	return c
}

func in[K comparable, V any](m map[NetworkName]map[K]V, n NetworkName) map[K]V {
	if m[n] == nil {
		m[n] = map[K]V{}
	}
	return m[n]
}

func remove[K comparable, V any](m map[NetworkName]map[K]V, n NetworkName, k K) {
	delete(m[n], k)
	if len(m[n]) == 0 {
		delete(m, n)
	}
}
