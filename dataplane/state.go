package dataplane

import (
	"net/netip"

	"weft/overlay"
)

// State is all that a node should forward.
type State struct {
	Node overlay.NodeName
	// Generation counts the planner's states, from 1. A Delta names the
	// generation that it starts from.
	Generation uint64
	Networks   map[overlay.NetworkName]Network
	// Tunnels are those of this node that stand alone.
	Tunnels map[overlay.TunnelName]Tunnel
	// Held networks are not in Networks and stay on the host as they are; the
	// value is the reason.
	Held map[overlay.NetworkName]string
	// Problems are networks, or parts of them, that cannot be built, with the
	// reason in the user's words. A network that cannot be built at all is
	// neither in Networks nor Held: what there was of it is removed.
	Problems map[overlay.NetworkName][]string
	// TunnelProblems are Problems of tunnels that stand alone.
	TunnelProblems map[overlay.TunnelName][]string
}

// Network is one network on one node.
type Network struct {
	Settings
	// Ports are this node's, by endpoint.
	Ports map[overlay.EndpointName]Port
	// Remotes are the stations of a bridged network on other nodes: the FDB.
	Remotes map[overlay.MAC]overlay.NodeName
	// Neighbors map the addresses of a bridged network to MACs: this node's
	// and the others', link-local ones included, so that ARP and ND are
	// answered on the spot.
	Neighbors map[netip.Addr]overlay.MAC
	// Members are the other nodes that take part, and peers that run no Weft, under the names
	// of their addresses: packets are accepted from these, and broadcast and multicast go to
	// these. With a Group, whoever is in that takes part: Members are those who should be.
	Members map[overlay.NodeName]Member
	// Routes lead to the other nodes' blocks of a routed network.
	Routes map[netip.Prefix]Route
}

// Settings are the parts of a network that are not collections. They compare
// with Equal.
type Settings struct {
	Name          overlay.NetworkName
	VNI           overlay.VNI
	Kind          overlay.NetworkKind
	Encapsulation overlay.Encapsulation
	// Port is the UDP destination port of the encapsulation.
	Port uint16
	// Plane is the network's own choice, resolved by the node.
	Plane overlay.PlaneName
	// Local is this node's VTEP address; its family is the network's underlay.
	Local netip.Addr
	// VTEPMAC is this node's VTEP MAC in a routed network.
	VTEPMAC overlay.MAC
	// MTU of the ports, in bytes.
	MTU int
	// UnderlayMTU is the MTU of this node's underlay, in bytes. Devices
	// between port and underlay get it, so that the kernel answers an
	// oversized packet instead of dropping it.
	UnderlayMTU int
	BUM         overlay.BUM
	// Gateways are the gateway addresses with the subnets' prefix lengths;
	// every node answers for them, with GatewayMAC.
	Gateways   []netip.Prefix
	GatewayMAC overlay.MAC
	// Blocks are this node's shares of a routed network.
	Blocks []netip.Prefix
	// Learning: what has no known place goes to all Members, or to the Group, and stations
	// are learnt from what comes from there, for AgeingSeconds.
	Learning      bool
	AgeingSeconds int
	// Group is the multicast group that stands for the Members; or invalid.
	Group netip.Addr
	// TTL of outer packets; 0: the host's default.
	TTL int
	// UnderlayDevice is what tunnel packets leave by; empty: as the host routes them.
	UnderlayDevice string
	// SourcePorts of outer packets; nil: the host's range.
	SourcePorts *overlay.PortRange
	// UDPChecksum says whether outer UDP checksums are computed; nil: as the plane does.
	UDPChecksum *bool
}

// Port is a local interface on a network.
type Port struct {
	Name overlay.EndpointName
	Kind overlay.PortKind // single or segment
	// MAC and Addresses of a single port's endpoint; the link-local address is
	// the last. Both are empty on a segment port.
	MAC       overlay.MAC
	Addresses []netip.Addr
	Attach    overlay.Attach
	// Device is the name of the port's end on Weft's side: at most 15
	// characters, the same at every planning, different for every endpoint of
	// the node.
	Device string
	// Allowed are the source addresses that the port may use, with MAC as the
	// source MAC; nil on a segment port: anything.
	Allowed []netip.Addr
	// Stations are those that the registry has behind a segment port, in ascending
	// order; nil on a single port. A port that is made knows them as if it had learnt
	// them: unknown unicast does not reach a segment, so a station that only answers
	// would not be found again. From then on they age, and are not put back. Of one
	// that is in Remotes, too, those are right.
	Stations []overlay.MAC
	// Tunnel is set on a port that is a tunnel to a peer outside: in a bridged network a
	// segment port, in a routed one that of the peer's prefixes (its routes).
	Tunnel *Tunnel
}

// Member is another node of the network.
type Member struct {
	VTEP    netip.Addr
	VTEPMAC overlay.MAC
}

// Route leads to another node's block.
type Route struct {
	Node overlay.NodeName
	// Direct is set when packets go to the node unencapsulated, over the
	// underlay segment that both share; Via is then its underlay address,
	// of the route's family.
	Direct bool
	Via    netip.Addr
}

// LinkLocalOf is the port's link-local address; the zero Addr on segment ports.
func (p Port) LinkLocalOf() netip.Addr {
	if p.MAC.IsZero() {
		return netip.Addr{}
	}
	return p.MAC.LinkLocal()
}
