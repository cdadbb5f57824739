package dataplanetest

import (
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
)

// scene is a random State, and who is where in it.
type scene struct {
	state    dataplane.State
	networks []*setting
}

// setting is one network of a scene.
type setting struct {
	name  overlay.NetworkName
	vni   overlay.VNI
	world world            // its kind, its underlay, and the family of its first subnet
	inner []overlay.Family // of its subnets
	hosts []host           // with a host of each family for each station
	here  []overlay.EndpointName
	// segment is the segment port, or empty.
	segment overlay.EndpointName
	// direct: the routes to node b are.
	direct bool
}

var networkNames = []overlay.NetworkName{"n1", "n2", "n3"}

func drawScene(t *rapid.T, e overlay.Encapsulation) *scene {
	s := &scene{state: dataplane.State{Node: here, Networks: map[overlay.NetworkName]dataplane.Network{}}}
	most := len(networkNames)
	if !e.HasVNI() {
		most = 1 // all nodes may be members
	}
	for i, name := range networkNames[:rapid.IntRange(1, most).Draw(t, "networks")] {
		n := drawSetting(t, e, name, overlay.VNI(7001+i))
		s.networks = append(s.networks, n)
		// Packets without encapsulation name no network: only one may have them.
		s.state.Networks[name] = n.draw(t, i == 0)
	}
	return s
}

func drawSetting(t *rapid.T, e overlay.Encapsulation, name overlay.NetworkName, vni overlay.VNI) *setting {
	families := slices.DeleteFunc([][]overlay.Family{{overlay.V4}, {overlay.V6}, {overlay.V4, overlay.V6}}, func(all []overlay.Family) bool {
		return slices.ContainsFunc(all, func(f overlay.Family) bool { return !e.CarriesFamily(f) })
	})
	kinds := slices.DeleteFunc([]overlay.NetworkKind{overlay.Bridged, overlay.Routed}, func(k overlay.NetworkKind) bool {
		return !e.CarriesKind(k)
	})
	inner := rapid.SampledFrom(families).Draw(t, "inner")
	return &setting{
		name: name, vni: vni, inner: inner,
		world: world{
			kind:          rapid.SampledFrom(kinds).Draw(t, "kind"),
			overlay:       inner[0],
			under:         rapid.SampledFrom([]overlay.Family{overlay.V4, overlay.V6}).Draw(t, "underlay"),
			encapsulation: e,
		},
	}
}

// draw adds the hosts and returns the network.
func (n *setting) draw(t *rapid.T, mayBeDirect bool) dataplane.Network {
	net := n.world.network(n.name, n.vni)
	net.BUM = rapid.SampledFrom([]overlay.BUM{overlay.BUMReplicate, overlay.BUMReplicate, overlay.BUMNone}).Draw(t, "bum")
	net.Gateways, net.Blocks = nil, nil
	for _, f := range n.inner {
		net.Gateways = append(net.Gateways, netip.PrefixFrom(inSubnet(f, 0, 1), subnetBits(f)))
		if net.Kind == overlay.Routed {
			net.Blocks = append(net.Blocks, shareOf(f, 1))
		}
	}
	for i := range byte(rapid.IntRange(1, 4).Draw(t, "ports")) {
		n.add(&net, here, 1, 2+i)
	}
	for share, node := range []overlay.NodeName{nodeB, nodeC, nodeD} {
		for i := range byte(rapid.IntRange(0, 2).Draw(t, "stations of "+string(node))) {
			n.add(&net, node, byte(share+2), 2+i)
		}
	}
	if net.Kind == overlay.Bridged && rapid.Bool().Draw(t, "segment") {
		n.addSegment(t, &net)
	}
	if net.Kind == overlay.Routed && mayBeDirect && rapid.Bool().Draw(t, "direct") {
		n.addDirect(&net)
	}
	return net
}

// add adds a station with an address of each family.
func (n *setting) add(net *dataplane.Network, node overlay.NodeName, share, pos byte) {
	first := n.world.host(n.name, endpointName(node, pos), node, share, pos)
	var ips []netip.Addr
	for _, f := range n.inner {
		h := first
		h.ip = inSubnet(f, share, pos)
		addHost(net, n.world.under, h)
		n.hosts = append(n.hosts, h)
		ips = append(ips, h.ip)
	}
	n.hosts = append(n.hosts, first.withLinkLocal())
	if node == here {
		n.here = append(n.here, first.name)
		p := net.Ports[first.name]
		p.Addresses = append(ips, first.mac.LinkLocal())
		p.Allowed = p.Addresses
		p.Device = "p-" + string(n.name) + string(first.name)
		net.Ports[first.name] = p
	}
}

func endpointName(node overlay.NodeName, pos byte) overlay.EndpointName {
	return overlay.EndpointName(string(node) + string('0'+rune(pos)))
}

// addSegment adds a segment port with stations, some of which the registry has.
func (n *setting) addSegment(t *rapid.T, net *dataplane.Network) {
	n.segment = office
	p := dataplane.Port{Name: office, Kind: overlay.PortSegment, Device: "p-" + string(n.name) + "office"}
	for pos := range byte(2) {
		if rapid.Bool().Draw(t, "published") {
			p.Stations = append(p.Stations, n.world.host(n.name, office, here, 9, 2+pos).mac)
		}
	}
	net.Ports[office] = p
	for pos := range byte(2) {
		for _, f := range n.inner {
			h := n.world.host(n.name, office, here, 9, 2+pos)
			h.ip = inSubnet(f, 9, 2+pos)
			n.hosts = append(n.hosts, h)
		}
	}
}

// addDirect makes the routes to node b direct.
func (n *setting) addDirect(net *dataplane.Network) {
	n.direct = true
	for prefix, r := range net.Routes {
		if r.Node == nodeB {
			f := overlay.FamilyOf(prefix.Addr())
			net.Routes[prefix] = dataplane.Route{Node: nodeB, Direct: true, Via: vtepOf(f, nodeB)}
		}
	}
}

// of are the hosts for which want holds.
func (n *setting) of(want func(host) bool) []host {
	var some []host
	for _, h := range n.hosts {
		if want(h) {
			some = append(some, h)
		}
	}
	return some
}

// gateway is the gateway as a host of h's family and scope.
func (n *setting) gateway(h host) host {
	g := host{network: n.name, name: "gateway", node: here, mac: n.vni.GatewayMAC()}
	g.ip = inSubnet(overlay.FamilyOf(h.ip), 0, 1)
	if h.ip.IsLinkLocalUnicast() {
		g = g.withLinkLocal()
	}
	return g
}
