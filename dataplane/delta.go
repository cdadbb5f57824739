package dataplane

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"weft/overlay"
)

// Delta is what changed from one State to the next.
type Delta struct {
	// From and To are the generations that it leads between.
	From, To uint64
	// Networks that changed, are new (every collection is then complete), or are gone.
	Networks map[overlay.NetworkName]NetworkDelta
	// Tunnels are changes of those that stand alone.
	Tunnels Changes[overlay.TunnelName, Tunnel]
	// Held, Problems and TunnelProblems are those of the next State, whole.
	Held           map[overlay.NetworkName]string
	Problems       map[overlay.NetworkName][]string
	TunnelProblems map[overlay.TunnelName][]string
}

// NetworkDelta is what changed in one network.
type NetworkDelta struct {
	// Gone: the network is no longer in State.Networks; all else is empty. What
	// there is of it is removed, unless it is in Held now: then it stays.
	Gone bool
	// Settings is nil when they are unchanged.
	Settings  *Settings
	Ports     Changes[overlay.EndpointName, Port]
	Remotes   Changes[overlay.MAC, overlay.NodeName]
	Neighbors Changes[netip.Addr, overlay.MAC]
	Members   Changes[overlay.NodeName, Member]
	Routes    Changes[netip.Prefix, Route]
}

// Changes of one collection: entries that are new or different, and the keys
// of those that are gone.
type Changes[K comparable, V any] struct {
	Set  map[K]V
	Gone map[K]struct{}
}

// Empty reports whether nothing changed.
func (c Changes[K, V]) Empty() bool { return len(c.Set) == 0 && len(c.Gone) == 0 }

// Keys are those that the change names.
func (c Changes[K, V]) Keys() map[K]struct{} {
	keys := maps.Clone(c.Gone)
	if keys == nil {
		keys = map[K]struct{}{}
	}
	for k := range c.Set {
		keys[k] = struct{}{}
	}
	return keys
}

// Among calls f with those entries of m that the change names.
func (c Changes[K, V]) Among(m map[K]V, f func(K, V)) {
	for k := range c.Keys() {
		if v, ok := m[k]; ok {
			f(k, v)
		}
	}
}

// OfNodes calls f with those entries of m that belong to one of the nodes.
func OfNodes[K comparable, V any](nodes map[overlay.NodeName]struct{}, m map[K]V, node func(V) overlay.NodeName, f func(K, V)) {
	if len(nodes) == 0 {
		return
	}
	for k, v := range m {
		if _, ok := nodes[node(v)]; ok {
			f(k, v)
		}
	}
}

// Empty reports whether nothing changed in the network.
func (d NetworkDelta) Empty() bool {
	return !d.Gone && d.Settings == nil && d.Ports.Empty() && d.Remotes.Empty() &&
		d.Neighbors.Empty() && d.Members.Empty() && d.Routes.Empty()
}

// Equal compares all fields.
func (s Settings) Equal(o Settings) bool { return reflect.DeepEqual(s, o) }

// Between computes the Delta that leads from old to next.
func Between(old, next State) Delta {
	d := Delta{
		From: old.Generation, To: next.Generation,
		Networks: map[overlay.NetworkName]NetworkDelta{},
		Tunnels:  between(old.Tunnels, next.Tunnels, Tunnel.Equal),
		Held:     next.Held, Problems: next.Problems, TunnelProblems: next.TunnelProblems,
	}
	for name := range old.Networks {
		if _, ok := next.Networks[name]; !ok {
			d.Networks[name] = NetworkDelta{Gone: true}
		}
	}
	for name, n := range next.Networks {
		was, had := old.Networks[name]
		nd := networkBetween(was, n)
		if !had {
			nd.Settings = &n.Settings
		}
		if !nd.Empty() {
			d.Networks[name] = nd
		}
	}
	return d
}

func networkBetween(old, next Network) NetworkDelta {
	d := NetworkDelta{
		Ports:     between(old.Ports, next.Ports, func(a, b Port) bool { return reflect.DeepEqual(a, b) }),
		Remotes:   between(old.Remotes, next.Remotes, equal),
		Neighbors: between(old.Neighbors, next.Neighbors, equal),
		Members:   between(old.Members, next.Members, equal),
		Routes:    between(old.Routes, next.Routes, equal),
	}
	if !old.Settings.Equal(next.Settings) {
		s := next.Settings
		d.Settings = &s
	}
	return d
}

func equal[V comparable](a, b V) bool { return a == b }

func between[K comparable, V any](old, next map[K]V, same func(a, b V) bool) Changes[K, V] {
	var c Changes[K, V]
	if len(old) == 0 && len(next) > 0 {
		c.Set = maps.Clone(next) // all of it, as for a network that is new
		return c
	}
	for k, v := range next {
		if was, ok := old[k]; !ok || !same(was, v) {
			if c.Set == nil {
				c.Set = map[K]V{}
			}
			c.Set[k] = v
		}
	}
	for k := range old {
		if _, ok := next[k]; !ok {
			if c.Gone == nil {
				c.Gone = map[K]struct{}{}
			}
			c.Gone[k] = struct{}{}
		}
	}
	return c
}

// With returns the State that the Delta leads to. Collections that did not
// change are shared with s; s itself stays as it is.
func (s State) With(d Delta) State {
	s.Networks = maps.Clone(s.Networks)
	s.Tunnels = d.Tunnels.unshare(s.Tunnels)
	for name, nd := range d.Networks {
		if n, ok := s.Networks[name]; ok && !nd.Gone {
			n.Ports = nd.Ports.unshare(n.Ports)
			n.Remotes = nd.Remotes.unshare(n.Remotes)
			n.Neighbors = nd.Neighbors.unshare(n.Neighbors)
			n.Members = nd.Members.unshare(n.Members)
			n.Routes = nd.Routes.unshare(n.Routes)
			s.Networks[name] = n
		}
	}
	s.Update(d)
	return s
}

// Update changes s to the State that the Delta leads to, in place: for a State
// that nobody else has, such as a Clone. It takes as long as the Delta is large.
func (s *State) Update(d Delta) {
	s.Generation = d.To
	s.Held, s.Problems, s.TunnelProblems = d.Held, d.Problems, d.TunnelProblems
	s.Tunnels = d.Tunnels.update(s.Tunnels)
	if s.Networks == nil {
		s.Networks = map[overlay.NetworkName]Network{}
	}
	for name, nd := range d.Networks {
		if nd.Gone {
			delete(s.Networks, name)
			continue
		}
		n := s.Networks[name]
		if nd.Settings != nil {
			n.Settings = *nd.Settings
		}
		n.Ports = nd.Ports.update(n.Ports)
		n.Remotes = nd.Remotes.update(n.Remotes)
		n.Neighbors = nd.Neighbors.update(n.Neighbors)
		n.Members = nd.Members.update(n.Members)
		n.Routes = nd.Routes.update(n.Routes)
		s.Networks[name] = n
	}
}

// unshare copies m if it is going to change.
func (c Changes[K, V]) unshare(m map[K]V) map[K]V {
	if c.Empty() {
		return m
	}
	return maps.Clone(m)
}

// update changes m itself, unless it is nil.
func (c Changes[K, V]) update(m map[K]V) map[K]V {
	if m == nil && len(c.Set) > 0 {
		m = make(map[K]V, len(c.Set))
	}
	maps.Copy(m, c.Set)
	for k := range c.Gone {
		delete(m, k)
	}
	return m
}

// Clone copies a State that was lent, to keep it.
func (s State) Clone() State {
	networks := make(map[overlay.NetworkName]Network, len(s.Networks))
	for name, n := range s.Networks {
		n.Ports = maps.Clone(n.Ports)
		n.Remotes = maps.Clone(n.Remotes)
		n.Neighbors = maps.Clone(n.Neighbors)
		n.Members = maps.Clone(n.Members)
		n.Routes = maps.Clone(n.Routes)
		networks[name] = n
	}
	s.Networks = networks
	s.Tunnels = maps.Clone(s.Tunnels)
	s.Held = maps.Clone(s.Held)
	s.Problems = maps.Clone(s.Problems)
	s.TunnelProblems = maps.Clone(s.TunnelProblems)
	return s
}

// SortedKeys returns a map's keys in the order of compare: State is printed
// and applied in a stable order.
func SortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, compare)
	return keys
}
