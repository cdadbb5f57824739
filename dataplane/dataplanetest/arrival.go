package dataplanetest

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// arrival is a frame that comes in, as far as divergences tell kinds apart.
type arrival struct {
	at              Place
	frame           frame              // inside the tunnel, if it comes from there
	network         dataplane.Settings // that it is in, if there is one
	bridged, routed bool
	segment         bool // it came from behind a segment port
	tagged          bool
	vid             uint16 // of the tags: 0 if all have none
	// claims: its type says that it is IP or ARP; parses: it is.
	claims, parses bool
	// packet is in the frame, also behind tags, or came as it is; isIP: there is one.
	packet ipPacket
	isIP   bool
	asks   bool       // it is ARP or ND, also behind tags, and where it is not all right
	target netip.Addr // of ND
	cut    bool       // a tag is not whole, or what is behind it says that it is IP and is not
	// outerExtended: there are options or extension headers outside.
	outerExtended bool
	large         bool // it does not fit into the tunnel
	jumbo         bool // a tunnel packet says so
	nd            bool
	checked       bool // its ICMPv6 checksum is right
}

// arrival takes apart what comes in.
func (s *scene) arrival(in wild) arrival {
	a, b := arrival{at: in.at}, in.bytes
	n := s.state.Networks[in.at.Network]
	if in.at == Underlay {
		outer, err := parseIP(b)
		if err != nil {
			return a
		}
		a.packet, a.isIP = outer, true
		a.outerExtended, a.jumbo = outer.isExtended(), outer.isJumbo()
		o, inner, err := encap.Unwrap(overlay.EncapVXLAN, outer.plain(), overlay.DefaultVXLANPort)
		if err != nil {
			return a
		}
		b, n = inner, s.withVNI(o.VNI)
	}
	eth, body, err := packet.ParseEthernet(b)
	if err != nil {
		return a
	}
	a.frame, a.network = frame{eth, body, b}, n.Settings
	a.bridged, a.routed = n.Kind == overlay.Bridged, n.Kind == overlay.Routed
	a.segment = n.Ports[in.at.Port].Kind == overlay.PortSegment
	a.large = len(body) > room(n)
	a.look()
	return a
}

// isTooLarge: a bridge has it, and no tunnel packet.
func (a arrival) isTooLarge() bool { return a.bridged && a.large && a.at != Underlay }

func (s *scene) withVNI(vni overlay.VNI) dataplane.Network {
	for _, n := range s.state.Networks {
		if n.VNI == vni {
			return n
		}
	}
	return dataplane.Network{}
}

// look looks at what is in the frame.
func (a *arrival) look() {
	a.tagged = a.frame.Type.IsVLAN()
	kind, body, vid := a.frame.behindTags()
	a.vid = vid
	a.packet, a.isIP = frame{packet.Ethernet{Type: kind}, body, nil}.ip()
	switch a.frame.Type {
	case packet.TypeARP:
		_, _, err := packet.ParseARP(a.frame.body)
		a.claims, a.parses = true, err == nil
	case packet.TypeIPv4, packet.TypeIPv6:
		a.claims = true
		a.parses = a.isIP && (a.frame.Type == packet.TypeIPv4) == a.packet.dst.Is4()
	}
	if a.isIP && a.packet.proto == packet.ProtoICMPv6 {
		_, _, err := packet.ParseND(a.packet.payload)
		a.nd = err == nil
		a.checked = packet.TransportChecksum(a.packet.src, a.packet.dst, a.packet.proto, a.packet.payload) == 0
	}
	a.target = targetOf(kind, body)
	a.asks = kind == packet.TypeARP || a.target.IsValid()
	a.cut = a.tagged && !a.isIP && (kind.IsVLAN() || kind == packet.TypeIPv4 || kind == packet.TypeIPv6)
}

// targetOf is whom a neighbour solicitation or advertisement is about, as who looks at nothing
// else of it sees it (RFC 4861 section 4.3, net/bridge/br_arp_nd_proxy.c); or nobody.
func targetOf(kind packet.EtherType, ip []byte) netip.Addr {
	const target = packet.IPv6Len + 8
	if kind != packet.TypeIPv6 || len(ip) < target+16 || packet.Protocol(ip[6]) != packet.ProtoICMPv6 {
		return netip.Addr{}
	}
	switch packet.ICMPv6Type(ip[packet.IPv6Len]) {
	case packet.ICMPv6NeighborSolicitation, packet.ICMPv6NeighborAdvertisement:
		return netip.AddrFrom16([16]byte(ip[target:]))
	}
	return netip.Addr{}
}

// behindTags is what is behind all tags, or behind those that are whole, and the last VLAN ID
// that they have.
func (f frame) behindTags() (kind packet.EtherType, body []byte, vid uint16) {
	kind, body = f.Type, f.body
	for kind.IsVLAN() {
		tag, rest, err := packet.ParseVLAN(body)
		if err != nil {
			break
		}
		if tag.ID != 0 {
			vid = tag.ID
		}
		kind, body = tag.Type, rest
	}
	return kind, body, vid
}

// isEndless reports whether it is IPv6 of which the length is zero, with options that may say
// how long it is (RFC 2675 section 2).
func (p ipPacket) isEndless() bool {
	return p.dst.Is6() && p.proto == packet.ProtoHopByHop && p.bytes[4] == 0 && p.bytes[5] == 0
}

// isJumbo reports whether it is UDP over IPv6 of which the length is zero.
func (p ipPacket) isJumbo() bool {
	return p.dst.Is6() && p.proto == packet.ProtoUDP && len(p.payload) >= packet.UDPLen && p.payload[4] == 0 && p.payload[5] == 0
}

// plain is the packet without what tunnels do not look for: extension headers, and a UDP length
// of zero.
func (p ipPacket) plain() []byte {
	if p.dst.Is4() {
		return p.bytes
	}
	ext, rest, err := packet.ParseIPv6Extensions(p.proto, p.payload)
	if err != nil {
		return p.bytes
	}
	b := slices.Concat(p.bytes[:packet.IPv6Len], rest)
	b[6] = byte(ext.Protocol)
	if p.isJumbo() {
		binary.BigEndian.PutUint16(b[packet.IPv6Len+4:], uint16(len(rest)))
	}
	return resealed(b)
}

// hasOptions reports whether there are options for everybody on the way.
func (p ipPacket) hasOptions() bool {
	return p.isExtended() && (p.dst.Is4() || p.proto == packet.ProtoHopByHop)
}

// isExtended reports whether there are options in the header, or extension headers behind it.
func (p ipPacket) isExtended() bool {
	if p.dst.Is4() {
		return len(p.bytes)-len(p.payload) > packet.IPv4MinLen
	}
	switch p.proto {
	case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoDestOptions, packet.ProtoFragment:
		return true
	}
	return false
}
