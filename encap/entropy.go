package encap

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"weft/packet"
)

// The dynamic ports, from which a tunnel's source port comes (RFC 7348 section 5,
// RFC 6335 section 6).
const (
	minSourcePort = 49152
	sourcePorts   = 65536 - minSourcePort
)

// maxTags is how many VLAN tags are looked through for an IP header.
const maxTags = 2

// SourcePort is the outer UDP source port of an inner Ethernet frame, 49152 to
// 65535: a hash of its flow, so that routers and receive queues that balance by
// the outer header spread flows and keep each in order (RFC 7348 section 5). The
// flow is the addresses and protocol of IP and, for TCP and UDP, the ports, but for
// fragments, of which only the first has any. Frames without IP go by their MACs.
//
// Every node computes the same port for the same flow. It is no secret.
func SourcePort(frame []byte) uint16 { return sourcePort(packet.TypeTEB, frame) }

// sourcePort is SourcePort for a frame or packet of a type.
func sourcePort(inner packet.EtherType, b []byte) uint16 {
	var h uint64
	if inner == packet.TypeTEB {
		h = hashFrame(b)
	} else {
		h = hashPacket(inner, b, finish(hashBytes(seed, b)))
	}
	// The upper bits of the product: no remainder's bias.
	hi, _ := bits.Mul64(h, sourcePorts)
	return minSourcePort + uint16(hi)
}

func hashFrame(frame []byte) uint64 {
	eth, rest, err := packet.ParseEthernet(frame)
	if err != nil {
		return finish(hashBytes(seed, frame))
	}
	typ := eth.Type
	for range maxTags {
		if !typ.IsVLAN() {
			break
		}
		tag, behind, err := packet.ParseVLAN(rest)
		if err != nil {
			break
		}
		typ, rest = tag.Type, behind
	}
	return hashPacket(typ, rest, finish(hashBytes(hashBytes(seed, eth.Dst[:]), eth.Src[:])))
}

// hashPacket goes by the flow of a packet, if it is an IP packet.
func hashPacket(typ packet.EtherType, b []byte, otherwise uint64) uint64 {
	switch typ {
	case packet.TypeIPv4:
		if ip, payload, err := packet.ParseIPv4(b); err == nil {
			return hashFlow(ip.Src, ip.Dst, ip.Protocol, payload, ip.IsFragment())
		}
	case packet.TypeIPv6:
		if ip, payload, err := packet.ParseIPv6(b); err == nil {
			return hashIPv6(ip, payload)
		}
	}
	return otherwise
}

func hashIPv6(ip packet.IPv6, payload []byte) uint64 {
	ext, segment, err := packet.ParseIPv6Extensions(ip.NextHeader, payload)
	if err != nil {
		return hashFlow(ip.Src, ip.Dst, ip.NextHeader, nil, true)
	}
	fragment := ext.More || ext.FragOffset != 0
	if fragment {
		// What follows the fragment header is known in the first one alone.
		ext.Protocol = packet.ProtoFragment
	}
	return hashFlow(ip.Src, ip.Dst, ext.Protocol, segment, fragment)
}

func hashFlow(src, dst netip.Addr, p packet.Protocol, segment []byte, fragment bool) uint64 {
	s, d := src.As16(), dst.As16()
	h := hashBytes(seed, s[:])
	h = hashBytes(h, d[:])
	h = mix(h, uint64(p))
	if (p == packet.ProtoTCP || p == packet.ProtoUDP) && !fragment && len(segment) >= 4 {
		h = mix(h, uint64(binary.BigEndian.Uint32(segment)))
	}
	return finish(h)
}

// seed is the fractional part of the golden ratio, as good as any.
const seed = 0x9e3779b97f4a7c15

// hashBytes mixes in b, eight bytes at a time.
func hashBytes(h uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		h = mix(h, binary.BigEndian.Uint64(b))
	}
	for _, c := range b {
		h = mix(h, uint64(c))
	}
	return h
}

// mix is the 128-bit product folded, as in wyhash: each bit of v reaches all of h.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^v, seed)
	return hi ^ lo
}

// finish spreads what the last mix left in the lower bits to the upper ones
// (the finaliser of MurmurHash3).
func finish(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
