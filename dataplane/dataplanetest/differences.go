package dataplanetest

import (
	"bytes"
	"encoding/binary"

	"weft/overlay"
	"weft/packet"
)

// Difference is something in which one plane may differ from another.
type Difference struct {
	Name string
	// Why says who allows it.
	Why string
	// Freedom of the deliveries that it applies to.
	Freedom Freedom
	// settle gives got the wanted value where the plane is free.
	settle func(want, got *view)
}

// Differences is all that a plane may do differently from [Forward], apart from
// copies that are [Optional], drop reasons that it cannot tell, and what its
// gateway says unasked.
func Differences() []Difference {
	return []Difference{
		{"outer source port", "RFC 7348 section 5, RFC 8926 section 3.3: a hash of the planes' own choice", Tunnelled,
			func(want, got *view) { got.Outer.UDP.SrcPort = want.Outer.UDP.SrcPort }},
		{"outer UDP checksum", "none or right: RFC 7348 section 5, RFC 6935", Tunnelled,
			func(want, got *view) { got.Outer.Checksum = want.Outer.Checksum }},
		{"outer TTL, DSCP, identification, DF and flow label", "the underlay's affair; of the TOS those inside see ECN alone", Tunnelled,
			func(want, got *view) { settleHeader(&want.Outer.IP, &got.Outer.IP, ecnMask) }},
		{"outer ECN of packets that are marked already", "ECT(0) as RFC 3168 section 9.1.1 has it, or CE as RFC 6040 section 4.1: those inside see the mark", Tunnelled,
			settleMark},
		{"TTL, TOS, identification, DF and flow label of the gateway's packets", "a host's own choice: RFC 1122 section 3.2.1, RFC 6437", Made,
			settleMade},
		{"TTL of packets routed without encapsulation, also in quotes", "the host's own stack may be a hop too", Direct,
			settleHop},
		{"TTL in the quote of ICMP errors", "as it came or as it would have gone on: RFC 1812 section 4.3.2.3", Quoting,
			settleQuotedTTL},
		{"length of the quote in ICMP errors", "8 bytes of the payload, or more: RFC 792, RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c)", Quoting,
			settleQuote},
		{"network or host, route or address unreachable", "RFC 1812 section 5.2.7.1, RFC 4443 section 3.1: they differ in what a router knows of the other end", Quoting,
			settleUnreachable},
	}
}

// unasked reports whether a delivery is what the gateway says when it likes: a multicast
// listener report, for whoever listens what groups it is in (RFC 3810), or the question
// to a neighbour whether it is still there (RFC 4861 section 7.3.3, RFC 1122 section
// 2.3.2.1), which Linux asks seconds after the neighbour was of use. The suite's own
// hosts say neither.
func unasked(d Delivery) bool {
	b, inside := d.Bytes, packet.TypeTEB
	if d.At == Underlay {
		if o, inner, err := readTunnel(b); err == nil {
			b, inside = inner, o.Inner
		}
	}
	toNeighbor := false
	if inside == packet.TypeTEB {
		f, err := parseFrame(b)
		if err != nil {
			return false
		}
		toNeighbor = !packet.IsGroup(f.Dst) && [3]byte(f.Src[:3]) == [3]byte(gatewayMACs[:3])
		b, inside = f.body, f.Type
	}
	if inside == packet.TypeARP {
		h, _, err := packet.ParseARP(b)
		return err == nil && toNeighbor && h.Op == packet.ARPRequest
	}
	if inside != packet.TypeIPv6 {
		return false
	}
	h, payload, err := packet.ParseIPv6(b)
	if err != nil {
		return false
	}
	ext, message, err := packet.ParseIPv6Extensions(h.NextHeader, payload)
	if err != nil || ext.Protocol != packet.ProtoICMPv6 || len(message) == 0 {
		return false
	}
	switch packet.ICMPv6Type(message[0]) {
	case packet.ICMPv6MLDv2Report:
		return true
	case packet.ICMPv6NeighborSolicitation:
		return toNeighbor
	}
	return false
}

// gatewayMACs is how the MACs of all gateways begin.
var gatewayMACs = overlay.VNI(1).GatewayMAC()

// settleHeader frees a header but for addresses, protocol, length, fragmentation and
// the bits of TOS that are kept.
func settleHeader(want, got *ipView, kept uint8) {
	got.TTL, got.ID, got.FlowLabel = want.TTL, want.ID, want.FlowLabel
	got.TOS = want.TOS&^kept | got.TOS&kept
	got.Flags = want.Flags&packet.DontFragment | got.Flags&^packet.DontFragment
}

func settleMark(want, got *view) {
	if sameMark(want.Outer.IP.TOS, got.Outer.IP.TOS) {
		got.Outer.IP.TOS = want.Outer.IP.TOS
	}
}

// sameMark reports whether the ECN outside follows that inside.
func sameMark(inside, outside uint8) bool {
	const capable = 2 // ECT(0)
	inside, outside = inside&ecnMask, outside&ecnMask
	return inside == outside || inside == congested && outside == capable
}

// settleMade keeps the hop limit of neighbour discovery, which shows that the packet
// crossed no router (RFC 4861 section 4.3).
func settleMade(want, got *view) {
	if want.IP == nil || got.IP == nil {
		return // ARP
	}
	if want.Outer != nil && sameMark(got.IP.TOS, got.Outer.IP.TOS) {
		got.Outer.IP.TOS = want.Outer.IP.TOS // it follows the TOS inside
	}
	ttl := got.IP.TTL
	settleHeader(want.IP, got.IP, 0)
	if want.isND() {
		got.IP.TTL = ttl
	}
}

func (v *view) isND() bool {
	if v.IP.Protocol != packet.ProtoICMPv6 {
		return false
	}
	_, _, err := packet.ParseND(v.Body)
	return err == nil
}

// settleHop also frees the TTL in the quote of such a packet.
func settleHop(want, got *view) {
	got.IP.TTL = want.IP.TTL
	if want.ICMP != nil && got.ICMP != nil {
		got.ICMP.Quote = withTTL(got.ICMP.Quote, ttlOf(want.ICMP.Quote))
	}
}

func settleQuotedTTL(want, got *view) {
	if want.ICMP == nil || got.ICMP == nil {
		return
	}
	if w, g := ttlOf(want.ICMP.Quote), ttlOf(got.ICMP.Quote); g == w-1 {
		got.ICMP.Quote = withTTL(got.ICMP.Quote, w)
	}
}

// ttlOf is the TTL of a packet of which there is at least an IPv4 header, or 0.
func ttlOf(ip []byte) uint8 {
	switch {
	case len(ip) < packet.IPv4MinLen:
		return 0
	case ip[0]>>4 == 4:
		return ip[8]
	}
	return ip[7]
}

// withTTL is the packet with another TTL, if its header is right.
func withTTL(ip []byte, ttl uint8) []byte {
	if len(ip) < packet.IPv4MinLen {
		return ip
	}
	ip = bytes.Clone(ip)
	if ip[0]>>4 == 6 {
		ip[7] = ttl
		return ip
	}
	header := ip[:min(len(ip), int(ip[0]&0x0f)*4)]
	if packet.Checksum(header) == 0 {
		ip[8], ip[10], ip[11] = ttl, 0, 0
		binary.BigEndian.PutUint16(ip[10:], packet.Checksum(header))
	}
	return ip
}

// settleQuote takes the wanted quote for got's if one begins with the other.
func settleQuote(want, got *view) {
	if want.ICMP == nil || got.ICMP == nil {
		return
	}
	least := packet.IPv6Len + 8
	if want.IP.Dst.Is4() {
		least = packet.IPv4MinLen + 8
	}
	w, g := want.ICMP.Quote, got.ICMP.Quote
	n := min(len(w), len(g))
	if n >= min(least, len(w)) && bytes.Equal(w[:n], g[:n]) {
		got.ICMP.Quote = w
	}
}

func settleUnreachable(want, got *view) {
	if want.ICMP == nil || got.ICMP == nil || want.ICMP.Type != got.ICMP.Type {
		return
	}
	kind, either := uint8(packet.ICMPv6Unreachable), [2]uint8{packet.CodeV6NoRoute, packet.CodeV6AddressUnreachable}
	if want.IP.Dst.Is4() {
		kind, either = uint8(packet.ICMPv4Unreachable), [2]uint8{packet.CodeNetUnreachable, packet.CodeHostUnreachable}
	}
	in := func(code uint8) bool { return code == either[0] || code == either[1] }
	if want.ICMP.Type == kind && in(want.ICMP.Code) && in(got.ICMP.Code) {
		got.ICMP.Code = want.ICMP.Code
	}
}
