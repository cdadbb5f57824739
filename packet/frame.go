package packet

import (
	"encoding/binary"
	"net/netip"
)

// DefaultTTL is the TTL or hop limit of a packet that says nothing else.
const DefaultTTL = 64

// ndHopLimit shows that a neighbour discovery message has crossed no router
// (RFC 4861 section 4.3).
const ndHopLimit = 255

// Ends are the two ends of a packet on one link. Its methods build whole Ethernet
// frames between them, with lengths and checksums in place, of the family of Src.
// The caller owns the frame.
type Ends struct {
	SrcMAC, DstMAC [6]byte
	Src, Dst       netip.Addr // of one family
	TTL            uint8      // 0 is DefaultTTL
	TOS            uint8      // traffic class on IPv6
}

// Back is the way back: source and destination exchanged.
func (e Ends) Back() Ends {
	e.SrcMAC, e.DstMAC = e.DstMAC, e.SrcMAC
	e.Src, e.Dst = e.Dst, e.Src
	return e
}

// IP is a frame with an IP packet that carries payload. IPv4 packets have DF set,
// and so no identification (RFC 6864 section 4.1). A payload over 64 KiB does not
// fit the length fields.
func (e Ends) IP(p Protocol, payload []byte) []byte {
	b := make([]byte, 0, EthernetLen+IPv6Len+len(payload))
	ttl := e.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	eth := Ethernet{Dst: e.DstMAC, Src: e.SrcMAC, Type: TypeIPv4}
	if e.Src.Is4() {
		b = eth.Append(b)
		b = IPv4{
			TOS: e.TOS, TotalLen: uint16(IPv4MinLen + len(payload)), Flags: DontFragment,
			TTL: ttl, Protocol: p, Src: e.Src, Dst: e.Dst,
		}.Append(b)
		return append(b, payload...)
	}
	eth.Type = TypeIPv6
	b = eth.Append(b)
	b = IPv6{
		TrafficClass: e.TOS, PayloadLen: uint16(len(payload)), NextHeader: p,
		HopLimit: ttl, Src: e.Src, Dst: e.Dst,
	}.Append(b)
	return append(b, payload...)
}

// UDP is a frame with a UDP datagram.
func (e Ends) UDP(srcPort, dstPort uint16, payload []byte) []byte {
	h := UDP{SrcPort: srcPort, DstPort: dstPort, Length: uint16(UDPLen + len(payload))}
	segment := append(h.Append(make([]byte, 0, UDPLen+len(payload))), payload...)
	sum := TransportChecksum(e.Src, e.Dst, ProtoUDP, segment)
	if sum == 0 { // RFC 768: zero on the wire means none
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(segment[6:], sum)
	return e.IP(ProtoUDP, segment)
}

// TCP is a frame with a TCP segment; h.Checksum is computed.
func (e Ends) TCP(h TCP, payload []byte) []byte {
	h.Checksum = 0
	segment := append(h.Append(make([]byte, 0, h.Len()+len(payload))), payload...)
	binary.BigEndian.PutUint16(segment[16:], TransportChecksum(e.Src, e.Dst, ProtoTCP, segment))
	return e.IP(ProtoTCP, segment)
}

// EchoRequest is a frame with a ping.
func (e Ends) EchoRequest(id, seq uint16, payload []byte) []byte {
	return e.echo(ICMPv4EchoRequest, ICMPv6EchoRequest, id, seq, payload)
}

// EchoReply is a frame with the answer to a ping.
func (e Ends) EchoReply(id, seq uint16, payload []byte) []byte {
	return e.echo(ICMPv4EchoReply, ICMPv6EchoReply, id, seq, payload)
}

func (e Ends) echo(v4 ICMPv4Type, v6 ICMPv6Type, id, seq uint16, payload []byte) []byte {
	rest := uint32(id)<<16 | uint32(seq)
	if e.Src.Is4() {
		return e.icmpv4(ICMPv4{Type: v4, Rest: rest}, payload)
	}
	return e.icmpv6(ICMPv6{Type: v6, Rest: rest}.Append(nil), payload)
}

// icmpv4 is a frame with the message of h and payload, with its checksum.
func (e Ends) icmpv4(h ICMPv4, payload []byte) []byte {
	message := append(h.Append(make([]byte, 0, ICMPLen+len(payload))), payload...)
	binary.BigEndian.PutUint16(message[2:], Checksum(message))
	return e.IP(ProtoICMP, message)
}

// icmpv6 is a frame with the message of head, whose checksum is zero, and payload.
func (e Ends) icmpv6(head, payload []byte) []byte {
	message := append(head, payload...)
	binary.BigEndian.PutUint16(message[2:], TransportChecksum(e.Src, e.Dst, ProtoICMPv6, message))
	return e.IP(ProtoICMPv6, message)
}
