package plan

import (
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// address is short for what most of this package is about.
type address = netip.Addr

// frame is a network on this node without its endpoints: what follows from its
// spec and from the nodes that take part.
type frame struct {
	dataplane.Settings
	spec    overlay.NetworkSpec
	self    *overlay.Node
	nodes   map[overlay.NodeName]*overlay.Node
	members map[overlay.NodeName]dataplane.Member
	// strangers are what is behind the peers among the members.
	strangers strangers
	// family is the underlay's, inside are the subnets'.
	family overlay.Family
	inside []overlay.Family
	// chosen is the plane that this node has chosen before; empty: none.
	chosen overlay.PlaneName
	// tunnels are those that are attached to the network, on any node.
	tunnels attached
	// tightest is the node whose underlay MTU decides.
	tightest *overlay.Node
	// problems are what is left out, and why; portProblems are apart, as ports
	// come and go without the rest.
	problems, portProblems []string
}

// settle computes a network's frame from the nodes that have endpoints in it.
// It is false when the network cannot be built here; the problems say why. chosen is
// the plane that this node has chosen for it before, if it has.
func settle(network *overlay.Network, self overlay.NodeName, nodes map[overlay.NodeName]*overlay.Node, at places, chosen overlay.PlaneName) (*frame, bool) {
	spec := network.Spec.Complete()
	f := &frame{spec: spec, self: nodes[self], nodes: nodes, chosen: chosen}
	if f.self == nil {
		f.refuse("this node, %s, is not registered: the network is not built here", self)
		return f, false
	}
	others := participants(spec, self, nodes, at)
	f.members = make(map[overlay.NodeName]dataplane.Member, len(others))
	f.Settings = dataplane.Settings{
		Name:          overlay.NetworkName(network.Name),
		VNI:           spec.VNI,
		Kind:          spec.Kind,
		Encapsulation: spec.Encapsulation,
		Port:          spec.Port,
		UnderlayMTU:   f.self.Spec.UnderlayMTU,
		BUM:           spec.BUM,
		GatewayMAC:    spec.VNI.GatewayMAC(),

		Learning: spec.Learning, AgeingSeconds: spec.AgeingSeconds, Group: spec.Group,
		TTL: spec.TTL, UnderlayDevice: spec.UnderlayDevice, SourcePorts: spec.SourcePorts, UDPChecksum: spec.UDPChecksum,
	}
	for _, g := range spec.Gateways {
		if p, ok := spec.Subnet(overlay.FamilyOf(g)); ok {
			f.Gateways = append(f.Gateways, netip.PrefixFrom(g, p.Bits()))
		}
	}
	if spec.Kind == overlay.Routed {
		f.VTEPMAC = f.self.Spec.VTEPMAC
	}
	for _, p := range spec.Subnets {
		f.inside = append(f.inside, overlay.FamilyOf(p.Addr()))
	}
	f.family = familyOf(spec.Underlay, append(others, f.self))
	if !f.join() {
		return f, false
	}
	for _, n := range others {
		f.admit(n)
	}
	f.admitPeers()
	f.capMTU()
	return f, true
}

// participants are the other nodes that take part and are known. In discovery static it is
// the network's peers alone.
func participants(spec overlay.NetworkSpec, self overlay.NodeName, nodes map[overlay.NodeName]*overlay.Node, at places) []*overlay.Node {
	if spec.Discovery == overlay.DiscoveryStatic {
		return nil
	}
	others := make([]*overlay.Node, 0, len(at))
	for name, p := range at {
		if n := nodes[name]; n != nil && name != self && p.ports > 0 {
			others = append(others, n)
		}
	}
	return others
}

// familyOf resolves the underlay's family: auto is v4 if every node has it, else v6.
func familyOf(want overlay.Family, nodes []*overlay.Node) overlay.Family {
	if want != overlay.FamilyAuto {
		return want
	}
	for _, n := range nodes {
		if _, has := n.Underlay(overlay.V4); !has {
			return overlay.V6
		}
	}
	return overlay.V4
}

// over is the spec with the underlay's family resolved.
func (f *frame) over() overlay.NetworkSpec {
	spec := f.spec
	spec.Underlay = f.family
	return spec
}

// join gives this node its place in the network; false when it cannot have one.
func (f *frame) join() bool {
	plane, err := planeOn(f.self, f.Name, f.over(), f.chosen)
	if err != nil {
		f.refuse("this node, %s, %v: the network is not built here", f.self.Name, err)
		return false
	}
	local, ok := f.vtep(f.self)
	if !ok {
		f.refuse("this node, %s, has no %s underlay address, and the network's underlay is %[2]s: it is not built here", f.self.Name, f.family)
		return false
	}
	if err := f.fit(f.self); err != nil {
		f.refuse("this node, %s: %v: the network is not built here", f.self.Name, err)
		return false
	}
	f.Local, f.Plane = local, plane
	return true
}

// admit makes another node a member, or says why it is left out.
func (f *frame) admit(n *overlay.Node) {
	if _, err := planeOn(n, f.Name, f.over(), ""); err != nil {
		f.refuse("node %s %v: it is left out", n.Name, err)
		return
	}
	vtep, ok := f.vtep(n)
	if !ok {
		f.refuse("node %s has no %s underlay address, and the network's underlay is %[2]s: it is left out", n.Name, f.family)
		return
	}
	if err := f.fit(n); err != nil {
		f.refuse("node %s: %v: it is left out", n.Name, err)
		return
	}
	m := dataplane.Member{VTEP: vtep}
	if f.Kind == overlay.Routed {
		m.VTEPMAC = n.Spec.VTEPMAC
	}
	f.members[overlay.NodeName(n.Name)] = m
}

// vtep is a node's address of the network's underlay family. Without
// encapsulation there is no outer header whose family has to be the same
// everywhere (each route needs its own, see route), so any address will do.
func (f *frame) vtep(n *overlay.Node) (address, bool) {
	p, ok := n.Underlay(f.family)
	if !ok && f.Encapsulation == overlay.EncapNone && len(n.Spec.Underlay) > 0 {
		p, ok = n.Spec.Underlay[0], true
	}
	return p.Addr(), ok
}
