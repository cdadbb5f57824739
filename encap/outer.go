package encap

import (
	"errors"
	"fmt"
	"net/netip"

	"weft/overlay"
	"weft/packet"
)

// ErrNotTunnel: an IP packet of another protocol than the encapsulation's, not to the
// tunnel's UDP port, or a fragment.
var ErrNotTunnel = errors.New("not a tunnel packet")

// Outer is what surrounds an inner frame or packet on the underlay.
type Outer struct {
	Encapsulation overlay.Encapsulation // empty in Wrap: vxlan
	Src, Dst      netip.Addr            // VTEPs, of one family
	// Of VXLAN and Geneve.
	SrcPort uint16 // 0 in Wrap: a hash of the flow inside, see SourcePort
	DstPort uint16
	// VNI is 0 in packets of IPIP and SIT, which cannot say what network they belong to.
	// GRE's key has 32 bits: of one that is no VNI, all of them are here.
	VNI overlay.VNI
	// Inner is what is inside: an Ethernet frame (TypeTEB) or an IP packet (TypeIPv4,
	// TypeIPv6). Zero in Wrap: the first of these that the encapsulation carries.
	Inner packet.EtherType
}

// complete fills in what Wrap lets its callers leave out.
func (o Outer) complete(inner []byte) Outer {
	if o.Encapsulation == "" {
		o.Encapsulation = overlay.EncapVXLAN
	}
	if o.Inner == 0 {
		switch o.Encapsulation {
		case overlay.EncapIPIP:
			o.Inner = packet.TypeIPv4
		case overlay.EncapSIT:
			o.Inner = packet.TypeIPv6
		default:
			o.Inner = packet.TypeTEB
		}
	}
	if o.SrcPort == 0 && o.protocol() == packet.ProtoUDP {
		o.SrcPort = sourcePort(o.Inner, inner)
	}
	return o
}

// protocol is the outer header's.
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
// and without a checksum of its own (RFC 7348 sections 4.3 and 5, RFC 8926 sections 4.3
// and 4.4.1). The caller owns the packet.
func Wrap(o Outer, inner []byte) []byte {
	o = o.complete(inner)
	header, _ := headerLen(o.Encapsulation)
	length := header + len(inner)
	b := o.appendIP(make([]byte, 0, packet.IPv6Len+length), length)
	switch o.Encapsulation {
	case overlay.EncapVXLAN:
		b = VXLAN{VNI: o.VNI}.Append(o.appendUDP(b, length))
	case overlay.EncapGeneve:
		b = Geneve{Protocol: o.Inner, VNI: o.VNI}.Append(o.appendUDP(b, length))
	case overlay.EncapGRE:
		b = GRE{Protocol: o.Inner, HasKey: true, Key: uint32(o.VNI)}.Append(b)
	}
	return append(b, inner...)
}

// appendIP appends the outer IP header of a payload of so many bytes.
func (o Outer) appendIP(b []byte, length int) []byte {
	if o.Src.Is4() {
		return packet.IPv4{
			TotalLen: uint16(packet.IPv4MinLen + length), Flags: packet.DontFragment,
			TTL: packet.DefaultTTL, Protocol: o.protocol(), Src: o.Src, Dst: o.Dst,
		}.Append(b)
	}
	return packet.IPv6{
		PayloadLen: uint16(length), NextHeader: o.protocol(),
		HopLimit: packet.DefaultTTL, Src: o.Src, Dst: o.Dst,
	}.Append(b)
}

func (o Outer) appendUDP(b []byte, length int) []byte {
	return packet.UDP{SrcPort: o.SrcPort, DstPort: o.DstPort, Length: uint16(length)}.Append(b)
}

// Unwrap takes an underlay IP packet of an encapsulation apart; inner aliases it. VXLAN
// and Geneve packets are those to UDP port dstPort. A UDP checksum is not verified: RFC
// 7348 section 5 leaves it to the receiver, and a packet seen on the host that sent it
// may not have one yet. A GRE packet without a key is [ErrNoVNI]. Behind an outer IPv6
// header there may be a [TunnelLimit].
//
// Errors are [ErrNotTunnel] where the packet is something else, and those of the codecs
// and package packet where it is broken; Outer holds what was read until then.
func Unwrap(e overlay.Encapsulation, ip []byte, dstPort uint16) (o Outer, inner []byte, err error) {
	o.Encapsulation = e
	protocol, payload, err := o.unwrapIP(ip)
	if err != nil {
		return o, nil, err
	}
	switch e {
	case overlay.EncapVXLAN, overlay.EncapGeneve:
		o.Inner = packet.TypeTEB
	case overlay.EncapGRE:
	case overlay.EncapIPIP:
		o.Inner = packet.TypeIPv4
	case overlay.EncapSIT:
		o.Inner = packet.TypeIPv6
	default:
		return o, nil, fmt.Errorf("%w: encapsulation %q", ErrUnknown, e)
	}
	if protocol != o.protocol() {
		return o, nil, fmt.Errorf("%w: protocol %s", ErrNotTunnel, protocol)
	}
	switch e {
	case overlay.EncapVXLAN, overlay.EncapGeneve:
		inner, err = o.unwrapUDP(payload, dstPort)
	case overlay.EncapGRE:
		inner, err = o.unwrapGRE(payload)
	default:
		inner = payload
	}
	if err == nil && o.Inner != packet.TypeTEB {
		err = checkInner(o.Inner, inner)
	}
	if err != nil {
		return o, nil, err
	}
	return o, inner, nil
}

// unwrapIP reads the IP header into o and returns what follows, behind a tunnel limit if
// there is one.
func (o *Outer) unwrapIP(b []byte) (packet.Protocol, []byte, error) {
	if len(b) > 0 && b[0]>>4 == 6 {
		ip, payload, err := packet.ParseIPv6(b)
		if err != nil {
			return 0, nil, err
		}
		o.Src, o.Dst = ip.Src, ip.Dst
		if ip.NextHeader != packet.ProtoDestOptions {
			return ip.NextHeader, payload, nil
		}
		limit, payload, err := ParseTunnelLimit(payload)
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", ErrNotTunnel, err)
		}
		return limit.Next, payload, nil
	}
	ip, payload, err := packet.ParseIPv4(b)
	if err != nil {
		return 0, nil, err
	}
	o.Src, o.Dst = ip.Src, ip.Dst
	if ip.IsFragment() {
		return 0, nil, fmt.Errorf("%w: a fragment", ErrNotTunnel)
	}
	return ip.Protocol, payload, nil
}

func (o *Outer) unwrapUDP(segment []byte, dstPort uint16) (inner []byte, err error) {
	udp, payload, err := packet.ParseUDP(segment)
	if err != nil {
		return nil, err
	}
	o.SrcPort, o.DstPort = udp.SrcPort, udp.DstPort
	if udp.DstPort != dstPort {
		return nil, fmt.Errorf("%w: to UDP port %d, not %d", ErrNotTunnel, udp.DstPort, dstPort)
	}
	if o.Encapsulation == overlay.EncapVXLAN {
		h, inner, err := ParseVXLAN(payload)
		o.VNI = h.VNI
		return inner, err
	}
	h, inner, err := ParseGeneve(payload)
	o.VNI, o.Inner = h.VNI, h.Protocol
	return inner, err
}

func (o *Outer) unwrapGRE(b []byte) (inner []byte, err error) {
	h, inner, err := ParseGRE(b)
	o.VNI, o.Inner = overlay.VNI(h.Key), h.Protocol
	if err == nil && o.VNI == 0 {
		return nil, fmt.Errorf("parse gre: %w: key %d", ErrNoVNI, h.Key)
	}
	return inner, err
}
