package plan

import (
	"maps"
	"reflect"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// Planner computes a node's State from changes: what For would make of all
// that was put and not deleted. One endpoint's change costs the same in a
// network of ten and of a hundred thousand.
//
// A Planner is for one goroutine. So is the State that it lends: see State.
type Planner struct {
	self     overlay.NodeName
	nodes    map[overlay.NodeName]*overlay.Node
	networks map[overlay.NetworkName]*network
	held     map[overlay.NetworkName]string
	chosen   map[overlay.NetworkName]overlay.PlaneName
	tunnels  map[overlay.NetworkName]map[overlay.TunnelName]*overlay.Tunnel
	paths    map[overlay.Key]overlay.TunnelPath
	// mistakable are the tunnels of this node that cannot be beside another one, and why.
	mistakable map[overlay.Key]string

	// ports are the endpoints of this node, device their devices' names.
	ports  map[portKey]struct{}
	device map[portKey]string
	name   func(portKey, int) string

	state dataplane.State
	// changed are the networks to look at.
	changed      map[overlay.NetworkName]struct{}
	portsChanged bool
	// tunnelsChanged: those that stand alone are to be looked at.
	tunnelsChanged bool
	// outersChanged: it is to be looked which tunnels cannot be told apart.
	outersChanged bool
}

// NewPlanner returns a Planner that knows nothing yet.
func NewPlanner(self overlay.NodeName) *Planner {
	return &Planner{
		self:     self,
		nodes:    map[overlay.NodeName]*overlay.Node{},
		networks: map[overlay.NetworkName]*network{},
		held:     map[overlay.NetworkName]string{},
		chosen:   map[overlay.NetworkName]overlay.PlaneName{},
		tunnels:  map[overlay.NetworkName]map[overlay.TunnelName]*overlay.Tunnel{},
		paths:    map[overlay.Key]overlay.TunnelPath{},
		ports:    map[portKey]struct{}{},
		name:     hashName,
		state:    dataplane.State{Node: self, Networks: map[overlay.NetworkName]dataplane.Network{}},
		changed:  map[overlay.NetworkName]struct{}{},
	}
}

// Put adds or replaces a resource, which is not changed afterwards. Kinds that
// forwarding does not depend on are ignored.
func (p *Planner) Put(r overlay.Resource) {
	switch r := r.(type) {
	case *overlay.Node:
		p.putNode(r)
	case *overlay.Network:
		n := p.network(overlay.NetworkName(r.Name))
		if n.resource == nil || !reflect.DeepEqual(n.resource.Spec, r.Spec) {
			p.touch(overlay.NetworkName(r.Name))
			n.rebuild = true
		}
		n.resource = r
	case *overlay.Block:
		p.touch(r.Network)
		n := p.network(r.Network)
		n.blocks[r.Name], n.reframe = r, true
	case *overlay.Endpoint:
		p.touch(r.Network)
		p.network(r.Network).putEndpoint(r, p.self)
		p.countPort(r, true)
	case *overlay.Tunnel:
		p.putTunnel(r)
	}
}

// Delete removes a resource, if it is there.
func (p *Planner) Delete(k overlay.Key) {
	name := k.Network
	if k.Kind == overlay.KindNetwork {
		name = overlay.NetworkName(k.Name)
	}
	n := p.networks[name]
	switch {
	case k.Kind == overlay.KindNode:
		p.deleteNode(overlay.NodeName(k.Name))
		return
	case k.Kind == overlay.KindTunnel:
		p.deleteTunnel(k)
		return
	case n == nil:
		return
	case k.Kind == overlay.KindNetwork:
		n.resource = nil
	case k.Kind == overlay.KindBlock:
		delete(n.blocks, k.Name)
		n.reframe = true
	case k.Kind == overlay.KindEndpoint:
		if e := n.endpoints[overlay.EndpointName(k.Name)]; e != nil {
			n.deleteEndpoint(e, p.self)
			p.countPort(e, false)
		}
	}
	p.touch(name)
}

// Hold keeps a network on the host as it is, whatever is put, until Release.
func (p *Planner) Hold(name overlay.NetworkName, reason string) {
	if had, ok := p.held[name]; ok && had == reason {
		return
	}
	p.held[name] = reason
	p.touch(name)
}

// Release ends a Hold; releasing what is not held does nothing.
func (p *Planner) Release(name overlay.NetworkName) {
	if _, ok := p.held[name]; !ok {
		return
	}
	delete(p.held, name)
	p.touch(name)
}

// Choose has a network stay on the plane that this node chose for it; an empty plane
// has the choice made anew.
func (p *Planner) Choose(name overlay.NetworkName, plane overlay.PlaneName) {
	if p.chosen[name] == plane {
		return
	}
	if p.chosen[name] = plane; plane == "" {
		delete(p.chosen, name)
	}
	if n := p.networks[name]; n != nil {
		n.reframe = true
		p.touch(name)
	}
}

// State is what the last Plan arrived at. It is lent: its maps stay as they
// are until the next Plan, which changes them in place, because copying
// 100,000 entries for the sake of one takes longer than planning it. Whoever
// needs it longer, or in another goroutine, takes a Clone.
func (p *Planner) State() dataplane.State { return p.state }

// Plan brings State up to date. The Delta says what changed since the last
// Plan; it is the receiver's to keep. False: nothing did, and the generation
// stays. The first Plan always counts, as an empty State is one to apply too.
func (p *Planner) Plan() (dataplane.Delta, bool) {
	p.nameDevices()
	p.tellApart()
	networks := map[overlay.NetworkName]dataplane.NetworkDelta{}
	problems := map[overlay.NetworkName][]string{}
	maps.Copy(problems, p.state.Problems)
	for name := range p.changed {
		d, found := p.planNetwork(name)
		if !d.Empty() {
			networks[name] = d
		}
		delete(problems, name)
		if len(found) > 0 {
			problems[name] = found
		}
	}
	clear(p.changed)
	d := dataplane.Delta{Networks: networks, Problems: problems}
	d.Tunnels, d.TunnelProblems = p.planTunnels()
	return p.publish(d)
}

// publish counts the generation up if there is anything new. Held and Problems
// go out with the Delta, so they are replaced and not changed.
func (p *Planner) publish(d dataplane.Delta) (dataplane.Delta, bool) {
	d.From = p.state.Generation
	changed := len(d.Networks) > 0 || !d.Tunnels.Empty() || d.From == 0
	if !maps.Equal(p.held, p.state.Held) {
		p.state.Held, changed = maps.Clone(p.held), true
	}
	if !maps.EqualFunc(d.Problems, p.state.Problems, slices.Equal) {
		p.state.Problems, changed = d.Problems, true
	}
	if !maps.EqualFunc(d.TunnelProblems, p.state.TunnelProblems, slices.Equal) {
		p.state.TunnelProblems, changed = d.TunnelProblems, true
	}
	if changed {
		p.state.Generation++
	}
	d.To, d.Held, d.Problems, d.TunnelProblems = p.state.Generation, p.state.Held, p.state.Problems, p.state.TunnelProblems
	return d, changed
}

// planNetwork brings one network up to date, and returns what changed in it
// and the problems that it has.
func (p *Planner) planNetwork(name overlay.NetworkName) (dataplane.NetworkDelta, []string) {
	n, known := p.networks[name]
	_, held := p.held[name]
	if !known || held || n.resource == nil || !n.places.takesPart(p.self) {
		return p.drop(name), nil
	}
	var d dataplane.NetworkDelta
	had, built := p.state.Networks[name]
	if n.rebuild || n.reframe || !built {
		f, ok := settle(n.resource, p.self, p.nodes, n.places, p.chosen[name])
		if !ok {
			return p.drop(name), f.allProblems()
		}
		f.tunnels = attached{p.tunnels[name], p.paths, p.mistakable}
		var next dataplane.Network
		if n.rebuild || !built {
			next = f.build(n.places, n.blocks, p.device)
			d = between(name, had, next)
		} else {
			next = f.buildSmall(n.places, n.blocks, p.device)
			small := had
			small.Remotes, small.Neighbors = nil, nil
			d = between(name, small, next)
			next.Remotes, next.Neighbors = had.Remotes, had.Neighbors
			n.toggled(had.Members, d.Members)
		}
		n.frame, p.state.Networks[name] = f, next
	} else if n.replug {
		next := had
		next.Ports = n.frame.ports(n.places.on(p.self), p.device)
		d = between(name, dataplane.Network{Settings: had.Settings, Ports: had.Ports}, dataplane.Network{Settings: had.Settings, Ports: next.Ports})
		p.state.Networks[name] = next
	}
	n.restation(&d, p.state.Networks[name])
	n.settled()
	return d, n.frame.allProblems()
}

// between is what changed in one network.
func between(name overlay.NetworkName, old, next dataplane.Network) dataplane.NetworkDelta {
	one := func(n dataplane.Network) dataplane.State {
		return dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{name: n}}
	}
	return dataplane.Between(one(old), one(next)).Networks[name]
}

// drop takes a network out of the State, and forgets it when nothing is known
// of it any more.
func (p *Planner) drop(name overlay.NetworkName) dataplane.NetworkDelta {
	if n := p.networks[name]; n != nil {
		n.frame = nil
		n.settled()
		if n.empty() {
			delete(p.networks, name)
		}
	}
	_, built := p.state.Networks[name]
	delete(p.state.Networks, name)
	return dataplane.NetworkDelta{Gone: built}
}

func (p *Planner) putNode(r *overlay.Node) {
	name := overlay.NodeName(r.Name)
	had := p.nodes[name]
	p.nodes[name] = r
	if had == nil || !reflect.DeepEqual(had.Spec, r.Spec) {
		p.reframe(name)
		p.touchSelf(name)
	}
}

func (p *Planner) deleteNode(name overlay.NodeName) {
	if _, known := p.nodes[name]; known {
		delete(p.nodes, name)
		p.reframe(name)
		p.touchSelf(name)
	}
}

// touchSelf has the node's tunnels looked at, if the node is this one.
func (p *Planner) touchSelf(name overlay.NodeName) {
	if name == p.self {
		p.tunnelsChanged, p.outersChanged = true, true
	}
}

// reframe looks again at every network in which the node has endpoints.
func (p *Planner) reframe(node overlay.NodeName) {
	for name, n := range p.networks {
		if n.places[node] != nil {
			n.reframe = true
			p.touch(name)
		}
	}
}

// countPort keeps the set of this node's ports, on which all their names depend.
func (p *Planner) countPort(e *overlay.Endpoint, there bool) {
	k := keyOf(e)
	_, had := p.ports[k]
	has := there && isPort(e) && e.Spec.Node == p.self
	if had == has {
		return
	}
	p.portsChanged = true
	if has {
		p.ports[k] = struct{}{}
	} else {
		delete(p.ports, k)
	}
}

// nameDevices names the ports again when there are others than before.
func (p *Planner) nameDevices() {
	if !p.portsChanged {
		return
	}
	p.portsChanged = false
	had := p.device
	p.device = devices(p.ports, p.name)
	for k, name := range p.device {
		if old, ok := had[k]; ok && old != name {
			p.network(k.network).replug = true
			p.touch(k.network)
		}
	}
}

func (p *Planner) touch(name overlay.NetworkName) { p.changed[name] = struct{}{} }

func (p *Planner) network(name overlay.NetworkName) *network {
	n := p.networks[name]
	if n == nil {
		n = newNetwork()
		p.networks[name] = n
	}
	return n
}
