package encap

import (
	"errors"
	"fmt"

	"weft/overlay"
	"weft/packet"
)

// ErrNotTunnel: an IP packet of another protocol than the encapsulation's, not to the
// tunnel's UDP port, or a fragment.
var ErrNotTunnel = errors.New("not a tunnel packet")

// Unwrap takes an underlay IP packet of a network's encapsulation apart; inner aliases
// it. Packets of those with ports are those to UDP port dstPort. A UDP checksum is not
// verified: RFC 7348 section 5 leaves it to the receiver, and a packet seen on the host
// that sent it may not have one yet. A GRE packet without a key is [ErrNoVNI]. Behind an
// outer IPv6 header there may be a [TunnelLimit].
//
// Errors are [ErrNotTunnel] where the packet is something else, and those of the codecs
// and package packet where it is broken; Outer holds what was read until then.
func Unwrap(e overlay.Encapsulation, ip []byte, dstPort uint16) (o Outer, inner []byte, err error) {
	o, inner, err = unwrap(e, ip, dstPort)
	if err == nil && e == overlay.EncapGRE && o.VNI == 0 {
		return o, nil, fmt.Errorf("parse gre: %w: key 0, or none", ErrNoVNI)
	}
	return o, inner, err
}

// UnwrapTunnel is [Unwrap] for packets of a tunnel to a peer that Weft does not manage:
// any GRE key will do, and none. Frames in GRE are of mode gretap, all else of mode gre.
func UnwrapTunnel(m overlay.TunnelMode, ip []byte, dstPort uint16) (o Outer, inner []byte, err error) {
	o, inner, err = unwrap(encapsulationOf(m), ip, dstPort)
	if err == nil && m.IsGRE() && (o.Inner == packet.TypeTEB) != m.Ethernet() {
		return o, nil, fmt.Errorf("%w: %s inside GRE, which is not for mode %s", ErrNotTunnel, o.Inner, m)
	}
	return o, inner, err
}

// encapsulationOf is what a mode has in common with networks.
func encapsulationOf(m overlay.TunnelMode) overlay.Encapsulation {
	if m == overlay.TunnelGRETAP {
		return overlay.EncapGRE
	}
	return overlay.Encapsulation(m) // the same words
}

func unwrap(e overlay.Encapsulation, ip []byte, dstPort uint16) (o Outer, inner []byte, err error) {
	o.Encapsulation = e
	protocol, payload, err := o.unwrapIP(ip)
	if err != nil {
		return o, nil, err
	}
	switch e {
	case overlay.EncapVXLAN, overlay.EncapGeneve:
		o.Inner = packet.TypeTEB
	case overlay.EncapGRE, overlay.EncapUDP:
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
	switch protocol {
	case packet.ProtoUDP:
		inner, err = o.unwrapUDP(payload, dstPort)
	case packet.ProtoGRE:
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
		return o.unwrapIPv6(b)
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

func (o *Outer) unwrapIPv6(b []byte) (packet.Protocol, []byte, error) {
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
	o.HasLimit, o.Limit = limit.HasLimit, limit.Limit
	return limit.Next, payload, nil
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
	switch o.Encapsulation {
	case overlay.EncapVXLAN:
		h, inner, err := ParseVXLAN(payload)
		o.VNI = h.VNI
		return inner, err
	case overlay.EncapGeneve:
		h, inner, err := ParseGeneve(payload)
		o.VNI, o.Inner = h.VNI, h.Protocol
		return inner, err
	}
	o.Inner, err = ParseBare(payload)
	return payload, err
}

func (o *Outer) unwrapGRE(b []byte) (inner []byte, err error) {
	h, inner, err := ParseGRE(b)
	o.VNI, o.Inner, o.NoKey = overlay.VNI(h.Key), h.Protocol, !h.HasKey
	o.Checksum, o.HasSequence, o.Sequence = h.HasChecksum, h.HasSequence, h.Sequence
	return inner, err
}
