package dataplanetest

import (
	"fmt"
	"net/netip"
	"slices"

	"weft/packet"
)

// frame is an Ethernet frame in parts.
type frame struct {
	packet.Ethernet
	body  []byte // behind the Ethernet header
	bytes []byte // all of it
}

// parseFrame refuses what no bridge takes: less than a header, and a source address that
// no station has: a group's (IEEE 802.3 clause 3.2.3), or none.
func parseFrame(b []byte) (frame, error) {
	eth, body, err := packet.ParseEthernet(b)
	if err != nil {
		return frame{}, err
	}
	if isNobody(eth.Src) {
		return frame{}, fmt.Errorf("source address %x: %w", eth.Src, packet.ErrMalformed)
	}
	return frame{eth, body, b}, nil
}

// isNobody reports whether no station can have an address.
func isNobody(mac [6]byte) bool { return packet.IsGroup(mac) || mac == [6]byte{} }

// untagged is the type and the body behind a VLAN tag, if there is one.
func (f frame) untagged() (packet.EtherType, []byte) {
	if !f.Type.IsVLAN() {
		return f.Type, f.body
	}
	tag, rest, err := packet.ParseVLAN(f.body)
	if err != nil {
		return f.Type, f.body
	}
	return tag.Type, rest
}

// ip is the frame's IP packet; false when there is none that parses.
func (f frame) ip() (ipPacket, bool) {
	if f.Type != packet.TypeIPv4 && f.Type != packet.TypeIPv6 {
		return ipPacket{}, false
	}
	p, err := parseIP(f.body)
	return p, err == nil
}

// ipPacket is an IP packet of either version: what forwarding looks at.
type ipPacket struct {
	src, dst netip.Addr
	ttl, tos uint8
	proto    packet.Protocol
	whole    bool   // no fragment
	df       bool   // must not be fragmented; always so on IPv6
	payload  []byte // behind the IP header
	bytes    []byte // from the IP header on, without padding
}

func parseIP(b []byte) (ipPacket, error) {
	if len(b) > 0 && b[0]>>4 == 6 {
		h, payload, err := packet.ParseIPv6(b)
		return ipPacket{
			src: h.Src, dst: h.Dst, ttl: h.HopLimit, tos: h.TrafficClass,
			proto: h.NextHeader, whole: h.NextHeader != packet.ProtoFragment, df: true,
			payload: payload, bytes: b[:min(len(b), packet.IPv6Len+len(payload))],
		}, err
	}
	h, payload, err := packet.ParseIPv4(b)
	return ipPacket{
		src: h.Src, dst: h.Dst, ttl: h.TTL, tos: h.TOS,
		proto: h.Protocol, whole: !h.IsFragment(), df: h.Flags&packet.DontFragment != 0,
		payload: payload, bytes: b[:min(len(b), h.Len()+len(payload))],
	}, err
}

func (p ipPacket) etherType() packet.EtherType {
	if p.dst.Is4() {
		return packet.TypeIPv4
	}
	return packet.TypeIPv6
}

// with is the packet with another TTL and TOS. Its checksum is right again.
func (p ipPacket) with(ttl, tos uint8) []byte {
	if p.dst.Is4() {
		h, payload, err := packet.ParseIPv4(p.bytes)
		if err == nil {
			h.TTL, h.TOS = ttl, tos
			return append(h.Append(nil), payload...)
		}
	} else if h, payload, err := packet.ParseIPv6(p.bytes); err == nil {
		h.HopLimit, h.TrafficClass = ttl, tos
		return append(h.Append(nil), payload...)
	}
	return slices.Clone(p.bytes)
}

// hop is the packet after one router (RFC 1812 section 5.3.1, RFC 8200 section 3).
func (p ipPacket) hop() []byte { return p.with(p.ttl-1, p.tos) }

// ethernet puts a frame around a packet.
func ethernet(src, dst [6]byte, kind packet.EtherType, body []byte) []byte {
	return append(packet.Ethernet{Dst: dst, Src: src, Type: kind}.Append(nil), body...)
}
