package dataplanetest

import (
	"errors"
	"slices"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// ECN, the lower two bits of TOS (RFC 3168 section 5).
const (
	ecnMask   = 3
	incapable = 0 // Not-ECT
	capable1  = 1 // ECT(1)
	capable0  = 2 // ECT(0)
	congested = 3 // CE
)

// receives reports whether a packet is addressed to the network's VTEP: protocol, UDP
// port and address family.
func receives(n dataplane.Network, outer ipPacket) bool {
	if outer.dst != n.Local || !outer.whole {
		return false
	}
	proto, payload := outer.behindLimit()
	switch n.Encapsulation {
	case overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapUDP:
		udp, _, err := packet.ParseUDP(payload)
		return err == nil && proto == packet.ProtoUDP && udp.DstPort == n.Port
	case overlay.EncapGRE:
		return proto == packet.ProtoGRE
	case overlay.EncapIPIP:
		return proto == packet.ProtoIPv4
	case overlay.EncapSIT:
		return proto == packet.ProtoIPv6
	}
	return false
}

// behindLimit is what a tunnel packet carries: there may be a tunnel encapsulation limit
// (RFC 2473 section 4.1.1) behind its IPv6 header.
func (p ipPacket) behindLimit() (packet.Protocol, []byte) {
	if p.proto == packet.ProtoDestOptions {
		if limit, rest, err := encap.ParseTunnelLimit(p.payload); err == nil {
			return limit.Next, rest
		}
	}
	return p.proto, p.payload
}

// tunnelOf finds a network that has packets such as this one: its encapsulation, and the
// UDP port of that.
func tunnelOf(s dataplane.State, outer ipPacket) (dataplane.Settings, bool) {
	for _, n := range s.Networks {
		if receives(n, outer) {
			return n.Settings, true
		}
	}
	return dataplane.Settings{}, false
}

// errCongestion: a router marked the packet instead of dropping it, which those
// inside cannot be told (RFC 6040 section 4.2).
var errCongestion = errors.New("congestion mark cannot be passed on")

// decapsulate takes a tunnel packet apart. A UDP checksum that is there has to be right.
// An IP packet inside is a frame of its type without addresses.
func decapsulate(n dataplane.Settings, outer ipPacket) (encap.Outer, frame, error) {
	o, inner, err := encap.Unwrap(n.Encapsulation, outer.bytes, n.Port)
	if err != nil {
		return o, frame{}, err
	}
	if !rightChecksum(outer) {
		return o, frame{}, packet.ErrChecksum
	}
	f := frame{packet.Ethernet{Type: o.Inner}, inner, inner}
	if o.Inner == packet.TypeTEB {
		if f.Ethernet, f.body, err = packet.ParseEthernet(inner); err != nil {
			return o, frame{}, err
		}
	}
	f, err = passMark(f, outer.tos&ecnMask)
	return o, f, err
}

// rightChecksum reports whether the checksum is right if the packet is UDP's and has one.
func rightChecksum(outer ipPacket) bool {
	proto, segment := outer.behindLimit()
	udp, _, err := packet.ParseUDP(segment)
	if proto != packet.ProtoUDP || err != nil || udp.Checksum == 0 {
		return true
	}
	return packet.TransportChecksum(outer.src, outer.dst, packet.ProtoUDP, segment) == 0
}

// passMark gives the packet inside, if there is one, the ECN that it has to have by that
// outside.
func passMark(f frame, outside uint8) (frame, error) {
	p, ok := f.ip()
	if !ok {
		return f, nil
	}
	ecn, err := InnerECN(p.tos&ecnMask, outside)
	if err != nil || ecn == p.tos&ecnMask {
		return f, err
	}
	head := f.bytes[:len(f.bytes)-len(f.body)]
	f.body = p.with(p.ttl, p.tos&^ecnMask|ecn)
	f.bytes = slices.Concat(head, f.body)
	return f, nil
}

// InnerECN is the ECN of a packet that came out of a tunnel packet, by that of both: the table of RFC
// 6040 section 4.2. Linux logs where that has a (!), and does the same (include/net/inet_ecn.h,
// INET_ECN_decapsulate).
func InnerECN(inside, outside uint8) (uint8, error) {
	switch {
	case outside == congested && inside == incapable:
		return inside, errCongestion
	case outside == congested, outside == capable1 && inside == capable0:
		return outside, nil
	}
	return inside, nil
}

// encapsulate is the delivery of a frame to a member. The ECN of the packet inside
// goes outside (RFC 6040 section 4.1).
func encapsulate(n dataplane.Network, to dataplane.Member, inner []byte, free Freedom) Delivery {
	b := wrap(n.Encapsulation, n.Kind, encap.Outer{Src: n.Local, Dst: to.VTEP, DstPort: n.Port, VNI: n.VNI}, inner)
	if eth, body, err := packet.ParseEthernet(inner); err == nil {
		if p, ok := (frame{eth, body, inner}).ip(); ok {
			outer, _ := parseIP(b) // we have just written it
			b = outer.with(outer.ttl, p.tos&ecnMask)
		}
	}
	return Delivery{At: Underlay, Via: to.VTEP, Bytes: b, Freedom: free | Tunnelled}
}

// wrap is the tunnel packet of a frame in a network of that encapsulation and kind. Where
// IP packets are inside, the frame's header does not come along.
func wrap(e overlay.Encapsulation, kind overlay.NetworkKind, o encap.Outer, b []byte) []byte {
	o.Encapsulation = e
	if !e.HasVNI() {
		o.VNI = 0
	}
	if eth, body, err := packet.ParseEthernet(b); err == nil && !encap.FramesInside(e, kind) {
		b = body
		if e == overlay.EncapGRE || eth.Type == packet.TypeIPv4 || eth.Type == packet.TypeIPv6 {
			o.Inner = eth.Type // without a header for it, the outer one's protocol says so
		}
	}
	return encap.Wrap(o, b)
}

// readTunnel takes a tunnel packet apart, of whatever encapsulation it is. What tells those
// in UDP apart is the port: the suite's networks have the usual ones.
func readTunnel(b []byte) (encap.Outer, []byte, error) {
	outer, err := parseIP(b)
	if err != nil {
		return encap.Outer{}, nil, err
	}
	e, port := overlay.EncapNone, uint16(0)
	switch proto, payload := outer.behindLimit(); proto {
	case packet.ProtoUDP:
		udp, _, err := packet.ParseUDP(payload)
		if err != nil {
			return encap.Outer{}, nil, err
		}
		e, port = overlay.EncapVXLAN, udp.DstPort
		switch port {
		case overlay.DefaultGenevePort:
			e = overlay.EncapGeneve
		case overlay.DefaultUDPPort:
			e = overlay.EncapUDP
		}
	case packet.ProtoGRE:
		e = overlay.EncapGRE
	case packet.ProtoIPv4:
		e = overlay.EncapIPIP
	case packet.ProtoIPv6:
		e = overlay.EncapSIT
	}
	return encap.Unwrap(e, b, port)
}

// room is the largest IP packet that fits into one of the network's tunnel packets.
func room(n dataplane.Network) int {
	overhead, err := encap.Overhead(n.Encapsulation, n.Kind, overlay.FamilyOf(n.Local))
	if err != nil {
		return 0
	}
	return n.UnderlayMTU - overhead
}
