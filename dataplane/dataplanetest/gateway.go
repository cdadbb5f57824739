package dataplanetest

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// gateway is a network's own host on every node, with the network's gateway
// addresses and the anycast MAC. It answers ARP, ND and pings.
type gateway struct{ dataplane.Network }

// addresses are the gateway's, the link-local one last.
func (g gateway) addresses() []netip.Addr {
	var all []netip.Addr
	for _, p := range g.Gateways {
		all = append(all, p.Addr())
	}
	return append(all, g.GatewayMAC.LinkLocal())
}

// has reports whether a is one of the gateway's addresses.
func (g gateway) has(a netip.Addr) bool { return slices.Contains(g.addresses(), a) }

// answer is what the gateway says to a frame that reaches it: a frame, or nil.
func (g gateway) answer(f frame) []byte {
	if f.Type == packet.TypeARP {
		return g.answerARP(f)
	}
	p, ok := f.ip()
	if !ok || !p.whole {
		return nil
	}
	switch p.proto {
	case packet.ProtoICMP:
		return g.answerPing(f, p)
	case packet.ProtoICMPv6:
		if reply := g.answerND(f, p); reply != nil {
			return reply
		}
		return g.answerPing(f, p)
	}
	return nil
}

// answerARP: RFC 826; also to a probe, which has no sender yet (RFC 5227).
func (g gateway) answerARP(f frame) []byte {
	a, _, err := packet.ParseARP(f.body)
	if err != nil || a.Op != packet.ARPRequest || !g.has(a.TargetIP) {
		return nil
	}
	return packet.ARPReplyFrame(g.GatewayMAC, a.TargetIP, a.SenderMAC, a.SenderIP)
}

// answerND: RFC 4861 section 7.2.4.
func (g gateway) answerND(f frame, p ipPacket) []byte {
	nd, _, err := packet.ParseND(p.payload)
	if err != nil || nd.Type != packet.ICMPv6NeighborSolicitation || p.ttl != 255 || !g.has(nd.Target) {
		return nil
	}
	flags := packet.NDSolicited
	if g.Kind == overlay.Routed {
		flags |= packet.NDRouter // it forwards; a bridged network's does not
	}
	if p.dst.IsMulticast() {
		return packet.NAFrame(g.GatewayMAC, nd.Target, flags|packet.NDOverride, g.macOf(f, p.src), p.src)
	}
	// Who asks by unicast knows the MAC and wants to hear that it is right: no
	// option, so no override.
	back := packet.Ends{SrcMAC: g.GatewayMAC, DstMAC: g.macOf(f, p.src), Src: nd.Target, Dst: p.src, TTL: 255}
	return icmpv6(back, packet.ND{Type: packet.ICMPv6NeighborAdvertisement, Flags: flags, Target: nd.Target}.Append(nil))
}

// answerPing: RFC 792, RFC 4443 section 4.2. A ping to all IPv6 nodes is answered
// from an address of the gateway's own; one to an IPv4 group is not (RFC 1122
// section 3.2.2.6 allows both).
func (g gateway) answerPing(f frame, p ipPacket) []byte {
	from := p.dst
	if g.joined(p.dst) {
		from = g.sourceTo(p.src)
	}
	if !g.has(from) || p.src.IsUnspecified() || len(p.payload) < packet.ICMPLen {
		return nil
	}
	echo := binary.BigEndian.Uint32(p.payload[4:])
	back := packet.Ends{
		SrcMAC: g.GatewayMAC, DstMAC: g.macOf(f, p.src), Src: from, Dst: p.src, TOS: p.tos,
	}
	switch {
	case p.proto == packet.ProtoICMP && packet.ICMPv4Type(p.payload[0]) == packet.ICMPv4EchoRequest,
		p.proto == packet.ProtoICMPv6 && packet.ICMPv6Type(p.payload[0]) == packet.ICMPv6EchoRequest:
		return back.EchoReply(uint16(echo>>16), uint16(echo), p.payload[packet.ICMPLen:])
	}
	return nil
}

// joined reports whether the gateway is in an IPv6 group: all nodes, all routers if
// it is one, and its addresses' solicited-node groups (RFC 4291 section 2.8).
func (g gateway) joined(group netip.Addr) bool {
	if group == netip.IPv6LinkLocalAllNodes() || group == netip.IPv6LinkLocalAllRouters() && g.Kind == overlay.Routed {
		return true
	}
	return slices.ContainsFunc(g.addresses(), func(a netip.Addr) bool {
		return a.Is6() && packet.SolicitedNode(a) == group
	})
}

// sourceTo is the gateway's address that speaks to dst: of its family and scope
// (RFC 6724 section 5, rule 2).
func (g gateway) sourceTo(dst netip.Addr) netip.Addr {
	for _, a := range g.addresses() {
		if a.Is4() == dst.Is4() && a.IsLinkLocalUnicast() == dst.IsLinkLocalUnicast() {
			return a
		}
	}
	return netip.Addr{}
}

// macOf is where an answer to a host goes: what the registry knows goes before what
// the frame says.
func (g gateway) macOf(f frame, host netip.Addr) [6]byte {
	if mac, ok := g.Neighbors[host]; ok {
		return mac
	}
	return f.Src
}

// icmpv6 is a frame with a message, whose checksum it fills in.
func icmpv6(e packet.Ends, message []byte) []byte {
	binary.BigEndian.PutUint16(message[2:], packet.TransportChecksum(e.Src, e.Dst, packet.ProtoICMPv6, message))
	return e.IP(packet.ProtoICMPv6, message)
}
