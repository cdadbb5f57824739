package encap

import (
	"errors"
	"fmt"
	"net/netip"

	"weft/overlay"
	"weft/packet"
)

// ErrNotTunnel: an IP packet that is no UDP datagram to the tunnel's port, or a
// fragment of one.
var ErrNotTunnel = errors.New("not a tunnel packet")

// Outer is what surrounds an inner frame on the underlay.
type Outer struct {
	Src, Dst netip.Addr // VTEPs, of one family
	SrcPort  uint16     // 0 in Wrap: SourcePort of the frame
	DstPort  uint16
	VNI      overlay.VNI
}

// Wrap is the underlay IP packet that carries frame in VXLAN, without fragmentation
// (RFC 7348 section 4.3) and, as that RFC's section 5 has it, without a UDP
// checksum. The caller owns the packet.
func Wrap(o Outer, frame []byte) []byte {
	if o.SrcPort == 0 {
		o.SrcPort = SourcePort(frame)
	}
	length := packet.UDPLen + VXLANLen + len(frame)
	b := make([]byte, 0, packet.IPv6Len+length)
	if o.Src.Is4() {
		b = packet.IPv4{
			TotalLen: uint16(packet.IPv4MinLen + length), Flags: packet.DontFragment,
			TTL: packet.DefaultTTL, Protocol: packet.ProtoUDP, Src: o.Src, Dst: o.Dst,
		}.Append(b)
	} else {
		b = packet.IPv6{
			PayloadLen: uint16(length), NextHeader: packet.ProtoUDP,
			HopLimit: packet.DefaultTTL, Src: o.Src, Dst: o.Dst,
		}.Append(b)
	}
	b = packet.UDP{SrcPort: o.SrcPort, DstPort: o.DstPort, Length: uint16(length)}.Append(b)
	b = VXLAN{VNI: o.VNI}.Append(b)
	return append(b, frame...)
}

// Unwrap takes an underlay IP packet to UDP port dstPort apart; frame aliases it. A UDP
// checksum is not verified: RFC 7348 section 5 leaves it to the receiver, and a
// packet seen on the host that sent it may not have one yet. Errors are
// [ErrNotTunnel] where the packet is something else, and those of [ParseVXLAN] and
// package packet where it is broken; Outer holds what was read until then.
func Unwrap(ip []byte, dstPort uint16) (o Outer, frame []byte, err error) {
	segment, err := o.unwrapIP(ip)
	if err != nil {
		return o, nil, err
	}
	udp, payload, err := packet.ParseUDP(segment)
	if err != nil {
		return o, nil, err
	}
	o.SrcPort, o.DstPort = udp.SrcPort, udp.DstPort
	if udp.DstPort != dstPort {
		return o, nil, fmt.Errorf("%w: to UDP port %d, not %d", ErrNotTunnel, udp.DstPort, dstPort)
	}
	h, frame, err := ParseVXLAN(payload)
	o.VNI = h.VNI
	if err != nil {
		return o, nil, err
	}
	return o, frame, nil
}

// unwrapIP reads the IP header into o and returns the UDP segment.
func (o *Outer) unwrapIP(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0]>>4 == 6 {
		ip, segment, err := packet.ParseIPv6(b)
		if err != nil {
			return nil, err
		}
		o.Src, o.Dst = ip.Src, ip.Dst
		if ip.NextHeader != packet.ProtoUDP {
			return nil, fmt.Errorf("%w: protocol %s", ErrNotTunnel, ip.NextHeader)
		}
		return segment, nil
	}
	ip, segment, err := packet.ParseIPv4(b)
	if err != nil {
		return nil, err
	}
	o.Src, o.Dst = ip.Src, ip.Dst
	switch {
	case ip.Protocol != packet.ProtoUDP:
		return nil, fmt.Errorf("%w: protocol %s", ErrNotTunnel, ip.Protocol)
	case ip.IsFragment():
		return nil, fmt.Errorf("%w: a fragment", ErrNotTunnel)
	}
	return segment, nil
}
