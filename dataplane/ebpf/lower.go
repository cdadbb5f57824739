package ebpf

import (
	"maps"
	"math"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/encap"
	"weft/overlay"
)

// The numbers of bpf/maps.h.
const (
	portSegment = 1 << iota
	portGateway
	portTunnel
	portPeer
)

const (
	networkRouted = 1 << iota
	networkBUMNone
	networkNoTunnel
)

const (
	stationLearnt = 1 << iota
	stationSingle
)

const neighborGateway = 1

const (
	floodPort = iota
	floodPeer
)

// IP protocols (IANA, protocol numbers).
const (
	protocolIPIP = 4
	protocolUDP  = 17
	protocolIPv6 = 41
	protocolGRE  = 47
)

const (
	encapNone = iota
	encapVXLAN
	encapGeneve
	encapGRE
	encapIP
)

func encapsulationOf(e overlay.Encapsulation) uint32 {
	switch e {
	case overlay.EncapVXLAN:
		return encapVXLAN
	case overlay.EncapGeneve:
		return encapGeneve
	case overlay.EncapGRE:
		return encapGRE
	case overlay.EncapIPIP, overlay.EncapSIT:
		return encapIP
	}
	return encapNone
}

// tunnelsOf is where a network's tunnel packets come in.
func tunnelsOf(n programsNetwork) []programsTunnelKey {
	at := func(protocol uint8, port uint16) programsTunnelKey {
		k := programsTunnelKey{Protocol: protocol, UdpPort: port}
		k.Local.Word = n.Local.Word
		return k
	}
	switch n.Encapsulation {
	case encapVXLAN, encapGeneve:
		return []programsTunnelKey{at(protocolUDP, n.UdpPort)}
	case encapGRE:
		return []programsTunnelKey{at(protocolGRE, 0)}
	case encapIP:
		return []programsTunnelKey{at(protocolIPIP, 0), at(protocolIPv6, 0)}
	}
	return nil
}

// bareProtocol is the IP protocol of what is in the packets of an encapsulation that adds
// nothing but an IP header.
func bareProtocol(e overlay.Encapsulation) uint8 {
	if e == overlay.EncapSIT {
		return protocolIPv6
	}
	return protocolIPIP
}

// vniBits is the length of the part of a route's prefix that is the network.
const vniBits = 32

// mappedBits come before an IPv4 address that is mapped into IPv6.
const mappedBits = 96

// Lower turns a network into the entries that make the programs forward so. Ports
// without a device are left out. Counters says whose counter is which.
func Lower(n dataplane.Network, on kernel.ProgramLinks, counters Counters) Tables {
	l := lowering{tablesFor(n), n, on, counters}
	l.few()
	for mac, node := range n.Remotes {
		l.remote(mac, node)
	}
	for ip, mac := range n.Neighbors {
		l.neighbor(ip, mac)
	}
	for prefix, r := range n.Routes {
		l.route(prefix, r)
	}
	return l.Tables
}

// lowering collects the entries of one network.
type lowering struct {
	Tables
	n        dataplane.Network
	on       kernel.ProgramLinks
	counters Counters
}

// few adds all but the collections that are large on a large network.
func (l lowering) few() {
	vni := uint32(l.n.VNI)
	net := programsNetwork{Encapsulation: encapsulationOf(l.n.Encapsulation), Gateway: l.on.Gateway, Underlay: l.on.Out, GatewayFlags: portPeer, GatewayCounter: l.ofPort(l.on.Gateway), Mtu: l.room(), UdpPort: networkOrder(l.n.Settings.Port)}
	net.Local.Word, net.GatewayMac.Byte, net.VtepMac.Byte = wordsOf(l.n.Local), l.n.GatewayMAC, l.n.VTEPMAC
	if l.n.Kind == overlay.Routed {
		net.Flags |= networkRouted
	}
	if l.n.BUM == overlay.BUMNone {
		net.Flags |= networkBUMNone
	}
	if l.on.Tunnel == 0 && (net.Encapsulation == encapVXLAN || net.Encapsulation == encapGeneve) {
		net.Flags |= networkNoTunnel
	}
	l.ports[l.on.Gateway] = programsPort{Vni: vni, Flags: portGateway, Counter: l.ofPort(l.on.Gateway)}
	if l.on.Tunnel != 0 {
		l.ports[l.on.Tunnel] = programsPort{Vni: vni, Flags: portTunnel}
	}
	for _, t := range tunnelsOf(net) {
		l.tunnels[t] = net.Encapsulation
	}
	l.gateways()
	for _, name := range slices.Sorted(maps.Keys(l.n.Ports)) {
		l.tunnel(l.n.Ports[name])
		if dev, ok := l.on.Ports[name]; ok {
			l.port(l.n.Ports[name], dev)
			flood := programsFloodKey{Vni: vni, Kind: floodPort, Index: net.Ports}
			l.floods[flood] = programsFlood{Port: dev.Index, Counter: uint32(l.ofPort(dev.Index))}
			net.Ports++
		}
	}
	for _, node := range slices.Sorted(maps.Keys(l.n.Members)) {
		m := l.n.Members[node]
		l.members[addressKey(l.n.VNI, m.VTEP)] = uint32(l.ofVTEP(m.VTEP))
		if net.Encapsulation == encapIP {
			pair := programsPairKey{Protocol: bareProtocol(l.n.Encapsulation)}
			pair.Local.Word, pair.Remote.Word = net.Local.Word, wordsOf(m.VTEP)
			l.pairs[pair] = vni
		}
		if l.n.Kind == overlay.Routed {
			l.vtep(m)
			continue
		}
		flood := programsFlood{Counter: uint32(l.ofVTEP(m.VTEP))}
		flood.Vtep.Word = wordsOf(m.VTEP)
		l.floods[programsFloodKey{Vni: vni, Kind: floodPeer, Index: net.Peers}] = flood
		net.Peers++
	}
	l.networks[vni] = net
}

// room is the largest IP packet that fits: into a port of a routed network, into
// the tunnel of a bridged one, whose ports the network's own host does not stand between.
func (l lowering) room() uint32 {
	overhead, err := encap.Overhead(l.n.Encapsulation, l.n.Kind, overlay.FamilyOf(l.n.Local))
	if err != nil || l.n.Kind == overlay.Routed {
		return uint32(l.n.MTU)
	}
	return uint32(l.n.UnderlayMTU - overhead)
}

// vtep adds another node's VTEP as a station: the network's own host routes to it.
func (l lowering) vtep(m dataplane.Member) {
	s := programsStation{Counter: l.ofVTEP(m.VTEP)}
	s.Vtep.Word = wordsOf(m.VTEP)
	l.stations[stationKey(l.n.VNI, m.VTEPMAC)] = s
}

// port adds a port of this node, and its endpoint.
func (l lowering) port(p dataplane.Port, dev kernel.ProgramLink) {
	entry := programsPort{Vni: uint32(l.n.VNI), Flags: uint32(flagsOf(p, dev)), Counter: l.ofPort(dev.Index)}
	entry.Mac.Byte = p.MAC
	l.ports[dev.Index] = entry
	if p.Kind == overlay.PortSegment {
		return
	}
	l.stations[stationKey(l.n.VNI, p.MAC)] = programsStation{
		Port: dev.Index, PortFlags: flagsOf(p, dev), Counter: entry.Counter, Flags: stationSingle,
	}
	for _, a := range p.Allowed {
		k := programsAllowedKey{Port: dev.Index}
		k.Ip.Word = wordsOf(a)
		l.allowed[k] = 1
	}
	if l.n.Kind != overlay.Routed {
		return
	}
	for _, a := range p.Addresses {
		l.neighbor(a, p.MAC)
		if !a.IsLinkLocalUnicast() {
			r := programsRoute{Port: dev.Index, PortFlags: flagsOf(p, dev), Counter: entry.Counter}
			r.Mac.Byte = p.MAC
			l.routes[routeKey(l.n.VNI, netip.PrefixFrom(a, a.BitLen()))] = r
		}
	}
}

func flagsOf(p dataplane.Port, dev kernel.ProgramLink) (flags uint16) {
	if p.Kind == overlay.PortSegment {
		flags |= portSegment
	}
	if dev.Peer {
		flags |= portPeer
	}
	return flags
}

// remote adds a station on another node. A node without a VTEP in this network reaches
// nobody.
func (l lowering) remote(mac overlay.MAC, node overlay.NodeName) {
	m, ok := l.n.Members[node]
	if !ok {
		return
	}
	s := programsStation{Counter: l.ofVTEP(m.VTEP)}
	s.Vtep.Word = wordsOf(m.VTEP)
	l.stations[stationKey(l.n.VNI, mac)] = s
}

// neighbor adds what ARP and ND are answered with. The gateway's own come first.
func (l lowering) neighbor(ip netip.Addr, mac overlay.MAC) {
	k := addressKey(l.n.VNI, ip)
	if _, gateway := l.neighbors[k]; gateway {
		return
	}
	e := programsNeighbor{}
	e.Mac.Byte = mac
	l.neighbors[k] = e
}

// tunnel adds the ways to what is behind a tunnel that is a part of a routed network: its
// near end is in the network's own host, which has the same routes.
func (l lowering) tunnel(p dataplane.Port) {
	t := p.Tunnel
	if t == nil || l.n.Kind != overlay.Routed || t.Down || !t.Remote.IsValid() {
		return
	}
	for _, r := range t.Spec.Routes {
		l.routes[routeKey(l.n.VNI, r.Prefix)] = programsRoute{Direct: uint16(min(t.MTU, math.MaxUint16))}
	}
}

// route adds the way to another node's block. What goes unencapsulated is the
// network's own host's to send.
func (l lowering) route(prefix netip.Prefix, r dataplane.Route) {
	if r.Direct {
		l.routes[routeKey(l.n.VNI, prefix)] = programsRoute{Direct: uint16(l.n.UnderlayMTU)}
		return
	}
	m, ok := l.n.Members[r.Node]
	if !ok {
		return
	}
	e := programsRoute{Counter: l.ofVTEP(m.VTEP)}
	e.Vtep.Word, e.Mac.Byte = wordsOf(m.VTEP), m.VTEPMAC
	l.routes[routeKey(l.n.VNI, prefix)] = e
}

func (l lowering) ofPort(index uint32) uint16 { return l.counters[portOwner(index)] }

func (l lowering) ofVTEP(a netip.Addr) uint16 { return l.counters[vtepOwner(l.n.VNI, a)] }

func routeKey(vni overlay.VNI, p netip.Prefix) (k programsRouteKey) {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += mappedBits
	}
	k.PrefixLen, k.Vni, k.Ip.Word = uint32(vniBits+bits), uint32(vni), wordsOf(p.Masked().Addr())
	return k
}
