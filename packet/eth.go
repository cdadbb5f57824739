package packet

import (
	"encoding/binary"
	"fmt"
)

// EthernetLen is the length of an Ethernet header in bytes, without tags and FCS.
const EthernetLen = 14

// EtherType says what an Ethernet frame carries. Values up to 1500 are a length
// instead, and an LLC header follows (IEEE 802.3 clause 3.2.6).
type EtherType uint16

// The types that Weft meets (IEEE 802 registry).
const (
	TypeIPv4 EtherType = 0x0800
	TypeARP  EtherType = 0x0806
	TypeTEB  EtherType = 0x6558 // an Ethernet frame, in GRE and Geneve (RFC 1701)
	TypeVLAN EtherType = 0x8100
	TypeIPv6 EtherType = 0x86dd
	TypeQinQ EtherType = 0x88a8
)

// IsLength reports whether t is an 802.3 length and not a type.
func (t EtherType) IsLength() bool { return t <= 1500 }

// IsVLAN reports whether a VLAN tag follows (802.1Q or 802.1ad).
func (t EtherType) IsVLAN() bool { return t == TypeVLAN || t == TypeQinQ }

// String returns the name, or the number in hexadecimal.
func (t EtherType) String() string {
	switch t {
	case TypeIPv4:
		return "IPv4"
	case TypeARP:
		return "ARP"
	case TypeTEB:
		return "Ethernet"
	case TypeVLAN:
		return "802.1Q"
	case TypeIPv6:
		return "IPv6"
	case TypeQinQ:
		return "802.1ad"
	}
	return fmt.Sprintf("0x%04x", uint16(t))
}

// Broadcast is the Ethernet broadcast address.
var Broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Ethernet is an Ethernet II header (RFC 894, IEEE 802.3).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       destination MAC                         |
//	+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+           source MAC          +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           EtherType           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Ethernet struct {
	Dst, Src [6]byte
	Type     EtherType
}

// ParseEthernet reads an Ethernet header.
func ParseEthernet(b []byte) (h Ethernet, rest []byte, err error) {
	if len(b) < EthernetLen {
		return h, nil, errShort("ethernet", len(b), EthernetLen)
	}
	h.Dst = [6]byte(b[0:6])
	h.Src = [6]byte(b[6:12])
	h.Type = EtherType(binary.BigEndian.Uint16(b[12:]))
	return h, b[EthernetLen:], nil
}

// Append appends the header's 14 bytes.
func (h Ethernet) Append(b []byte) []byte {
	b = append(b, h.Dst[:]...)
	b = append(b, h.Src[:]...)
	return binary.BigEndian.AppendUint16(b, uint16(h.Type))
}

// IsGroup reports whether mac is a broadcast or multicast address: the least
// significant bit of its first octet is set (IEEE 802).
func IsGroup(mac [6]byte) bool { return mac[0]&1 != 0 }
