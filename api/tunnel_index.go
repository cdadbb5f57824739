package api

import (
	"fmt"

	"weft/overlay"
)

// apart reports with what on the node the tunnel cannot be: another tunnel with the same
// outer addresses, of which one does not say its own, or with the same route, and a network
// with the same VNI.
func (x *index) apart(t *overlay.Tunnel, node *overlay.Node) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	mine := explicit(t.Spec, node).Outer()
	var by *overlay.Tunnel
	var what, hint string
	collide := func(o *overlay.Tunnel, whatOf, hintOf string) {
		if by == nil || byKey(o, by) < 0 {
			by, what, hint = o, whatOf, hintOf
		}
	}
	for k, o := range x.used.tunnels[t.Spec.Node] {
		if k == t.Key() {
			continue
		}
		if o.Spec.Outer() != t.Spec.Outer() && explicit(o.Spec, node).Outer() == mine {
			collide(o, outerText(mine), "want something to tell their packets apart: "+outerHint(mine))
		}
		if r, same := commonRoute(t, o); same {
			collide(o, "route "+r.Prefix.String(), "give one of the two another metric")
		}
	}
	if by != nil {
		return takenBy(t, by, what+" on node "+node.Name, hint)
	}
	return x.besideNetworks(t)
}

// takenBy is the refusal of what another resource has.
func takenBy(t, by overlay.Resource, what, hint string) error {
	e := Taken(hint, "%s: %s is taken by %s", t.Key(), what, by.Key())
	key, other := t.Key(), by.Key()
	e.Key, e.Other = &key, &other
	return e
}

// commonRoute is one that two tunnels which stand alone would both have in the node's table.
func commonRoute(a, b *overlay.Tunnel) (overlay.TunnelRoute, bool) {
	if a.Network != "" || b.Network != "" {
		return overlay.TunnelRoute{}, false
	}
	for _, r := range a.Spec.Routes {
		for _, o := range b.Spec.Routes {
			if r.Prefix == o.Prefix && r.Metric == o.Metric {
				return r, true
			}
		}
	}
	return overlay.TunnelRoute{}, false
}

// besideNetworks reports which network of the node has the tunnel's VNI and port. The caller
// holds the lock.
func (x *index) besideNetworks(t *overlay.Tunnel) error {
	for name, u := range x.used.networks {
		n, ok := x.items[overlay.Key{Kind: overlay.KindNetwork, Name: string(name)}].(*overlay.Network)
		if ok && sameVNI(t.Spec, n.Spec) && (t.Network == name || u.on(t.Spec.Node)) {
			return takenBy(t, n, vniText(t.Spec)+" on node "+string(t.Spec.Node), "ask for another VNI or port")
		}
	}
	return nil
}

// meets reports which tunnel on a node that is to take part in a network has that's VNI.
func (x *index) meets(n *overlay.Network, node overlay.NodeName) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var by *overlay.Tunnel
	for _, t := range x.used.tunnels[node] {
		if sameVNI(t.Spec, n.Spec) && (by == nil || byKey(t, by) < 0) {
			by = t
		}
	}
	if by == nil {
		return nil
	}
	return takenBy(n, by, vniText(by.Spec)+" on node "+string(node), "remove that, or have it use another VNI or port")
}

func sameVNI(t overlay.TunnelSpec, n overlay.NetworkSpec) bool {
	n = n.Complete()
	return t.Mode.HasVNI() && string(t.Mode) == string(n.Encapsulation) && t.VNI == n.VNI && t.Port == n.Port
}

func vniText(s overlay.TunnelSpec) string {
	return fmt.Sprintf("%s VNI %s on UDP port %d", s.Mode, s.VNI, s.Port)
}

// on reports whether a node takes part in the network.
func (n *usage) on(node overlay.NodeName) bool {
	for _, e := range n.endpoints {
		if e.Spec.Node == node {
			return true
		}
	}
	for _, t := range n.tunnels {
		if t.Spec.Node == node {
			return true
		}
	}
	return false
}

// joins reports why a tunnel cannot be attached to a network.
func (x *index) joins(t *overlay.Tunnel, n *overlay.Network) error {
	switch {
	case n.Spec.Kind == overlay.Bridged && !t.Spec.Mode.Ethernet():
		return Invalid("", "%s: mode %s carries packets, and network %s is bridged; want mode vxlan, geneve or gretap", t.Key(), t.Spec.Mode, n.Name)
	case n.Spec.Kind == overlay.Routed && t.Spec.Mode.Ethernet():
		return Invalid("", "%s: mode %s carries frames, and network %s is routed; want mode gre, ipip, sit or udp", t.Key(), t.Spec.Mode, n.Name)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, o := range x.used.in(t.Network).tunnels {
		if o.Name == t.Name {
			continue
		}
		for _, r := range t.Spec.Routes {
			for _, theirs := range o.Spec.Routes {
				if r.Prefix.Overlaps(theirs.Prefix) {
					return takenBy(t, o, overlapText(r.Prefix.String(), theirs.Prefix.String()), "a network has one way to each prefix")
				}
			}
		}
	}
	return beside(t, n)
}

func overlapText(prefix, other string) string {
	if prefix == other {
		return "route " + prefix
	}
	return "route " + prefix + " (in part, as " + other + ")"
}

// beside reports which of the network's subnets a tunnel's routes would lead out of it.
func beside(t *overlay.Tunnel, n *overlay.Network) error {
	for _, r := range t.Spec.Routes {
		for _, p := range n.Spec.Subnets {
			if r.Prefix.Overlaps(p) {
				return Invalid("", "%s: route %s overlaps subnet %s of network %s", t.Key(), r.Prefix, p, n.Name)
			}
		}
	}
	return nil
}

// aside reports into which tunnel's routes a network would grow.
func (x *index) aside(n *overlay.Network) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.used.networks[overlay.NetworkName(n.Name)]
	if u == nil {
		return nil
	}
	for _, t := range u.tunnels {
		if err := beside(t, n); err != nil {
			return err
		}
	}
	return nil
}
