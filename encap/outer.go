package encap

import (
	"encoding/binary"
	"net/netip"

	"weft/overlay"
	"weft/packet"
)

// Outer is what surrounds an inner frame or packet on the underlay.
type Outer struct {
	Encapsulation overlay.Encapsulation // empty in Wrap: vxlan
	Src, Dst      netip.Addr            // VTEPs, of one family
	// Of VXLAN, Geneve and UDP.
	SrcPort uint16 // 0 in Wrap: a hash of the flow inside, see SourcePort
	DstPort uint16
	// VNI is 0 in packets of IPIP, SIT and UDP, which cannot say what network they belong
	// to. GRE's key has 32 bits: of one that is no VNI, all of them are here.
	VNI overlay.VNI
	// Inner is what is inside: an Ethernet frame (TypeTEB) or an IP packet (TypeIPv4,
	// TypeIPv6). Zero in Wrap: the first of these that the encapsulation carries, and in
	// UDP, whose packets have to say it themselves, what the packet says.
	Inner packet.EtherType

	// What packets of Weft's networks do not have, and those of others may.
	NoKey       bool // GRE without a key; its VNI is 0
	Checksum    bool // GRE with a checksum, which Wrap computes
	HasSequence bool // GRE with a sequence number
	Sequence    uint32
	HasLimit    bool // a tunnel encapsulation limit behind an outer IPv6 header
	Limit       uint8
}

// complete fills in what Wrap lets its callers leave out.
func (o Outer) complete(inner []byte) Outer {
	if o.Encapsulation == "" {
		o.Encapsulation = overlay.EncapVXLAN
	}
	if o.Inner == 0 {
		o.Inner = innerOf(o.Encapsulation, inner)
	}
	if o.SrcPort == 0 && o.protocol() == packet.ProtoUDP {
		o.SrcPort = sourcePort(o.Inner, inner)
	}
	return o
}

// innerOf is the type of what an encapsulation has inside, if nobody says it.
func innerOf(e overlay.Encapsulation, inner []byte) packet.EtherType {
	switch e {
	case overlay.EncapIPIP:
		return packet.TypeIPv4
	case overlay.EncapSIT:
		return packet.TypeIPv6
	case overlay.EncapUDP:
		return typeOf(inner)
	}
	return packet.TypeTEB
}

// protocol is the number of what stands behind the outer IP header and its options.
func (o Outer) protocol() packet.Protocol {
	switch o.Encapsulation {
	case overlay.EncapGRE:
		return packet.ProtoGRE
	case overlay.EncapIPIP, overlay.EncapSIT:
		return protocolOf(o.Inner)
	}
	return packet.ProtoUDP
}

// Wrap is the underlay IP packet that carries a frame or packet, without fragmentation
// and without a UDP checksum (RFC 7348 sections 4.3 and 5, RFC 8926 sections 4.3 and
// 4.4.1). The caller owns the packet.
func Wrap(o Outer, inner []byte) []byte {
	const most = packet.IPv6Len + TunnelLimitLen + GREMaxLen // and the longest of the headers
	return Append(make([]byte, 0, most+len(inner)), o, inner)
}

// Append appends the packet that [Wrap] returns.
func Append(b []byte, o Outer, inner []byte) []byte {
	o = o.complete(inner)
	header := o.gre().Len()
	if o.Encapsulation != overlay.EncapGRE {
		header, _ = headerLen(o.Encapsulation)
	}
	length := header + len(inner)
	b = o.appendIP(b, length)
	switch o.Encapsulation {
	case overlay.EncapVXLAN:
		b = VXLAN{VNI: o.VNI}.Append(o.appendUDP(b, length))
	case overlay.EncapGeneve:
		b = Geneve{Protocol: o.Inner, VNI: o.VNI}.Append(o.appendUDP(b, length))
	case overlay.EncapUDP:
		b = o.appendUDP(b, length)
	case overlay.EncapGRE:
		return o.gre().seal(b, inner)
	}
	return append(b, inner...)
}

// gre is the header without its checksum.
func (o Outer) gre() GRE {
	return GRE{
		Protocol: o.Inner, HasChecksum: o.Checksum, HasKey: !o.NoKey, Key: uint32(o.VNI),
		HasSequence: o.HasSequence, Sequence: o.Sequence,
	}
}

// seal appends the header and what it carries, with the checksum of both if it has one.
func (h GRE) seal(b, inner []byte) []byte {
	start := len(b)
	b = append(h.Append(b), inner...)
	if h.HasChecksum {
		binary.BigEndian.PutUint16(b[start+GRELen:], packet.Checksum(b[start:]))
	}
	return b
}

// appendIP appends the outer IP header of a payload of so many bytes.
func (o Outer) appendIP(b []byte, length int) []byte {
	if o.Src.Is4() {
		return packet.IPv4{
			TotalLen: uint16(packet.IPv4MinLen + length), Flags: packet.DontFragment,
			TTL: packet.DefaultTTL, Protocol: o.protocol(), Src: o.Src, Dst: o.Dst,
		}.Append(b)
	}
	ip := packet.IPv6{
		PayloadLen: uint16(length), NextHeader: o.protocol(),
		HopLimit: packet.DefaultTTL, Src: o.Src, Dst: o.Dst,
	}
	if !o.HasLimit {
		return ip.Append(b)
	}
	ip.PayloadLen, ip.NextHeader = uint16(TunnelLimitLen+length), packet.ProtoDestOptions
	return TunnelLimit{Next: o.protocol(), HasLimit: true, Limit: o.Limit}.Append(ip.Append(b))
}

func (o Outer) appendUDP(b []byte, length int) []byte {
	return packet.UDP{SrcPort: o.SrcPort, DstPort: o.DstPort, Length: uint16(length)}.Append(b)
}
