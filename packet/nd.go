package packet

import (
	"encoding/binary"
	"net/netip"
)

// NDLen is the length of a neighbour solicitation or advertisement without its
// options in bytes.
const NDLen = 24

// NDFlags is the word before the target: the flags of an advertisement, and
// reserved bits, which are kept as they are.
type NDFlags uint32

const (
	NDRouter    NDFlags = 1 << 31 // the sender is a router
	NDSolicited NDFlags = 1 << 30 // it answers a solicitation
	NDOverride  NDFlags = 1 << 29 // it replaces a cached link-layer address
)

// ND is a neighbour solicitation or advertisement (RFC 4861 sections 4.3 and 4.4)
// from its ICMPv6 type on.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   135 / 136   |   Code = 0    |          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|S|O|                     Reserved                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                  Target Address (16 bytes)                    +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...
//	+-+-+-+-+-+-+-+-+-+-+-+-
type ND struct {
	Type     ICMPv6Type // ICMPv6NeighborSolicitation or ICMPv6NeighborAdvertisement
	Checksum uint16
	Flags    NDFlags
	Target   netip.Addr
}

// ParseND reads a solicitation or advertisement; rest is its options (see
// [ParseNDOption]). Other ICMPv6 types are [ErrUnsupported]. The checks of RFC 4861
// section 7.1 that need the IP header, above all hop limit 255, are the caller's.
func ParseND(b []byte) (h ND, rest []byte, err error) {
	if len(b) < NDLen {
		return h, nil, errShort("neighbor discovery", len(b), NDLen)
	}
	t := ICMPv6Type(b[0])
	if t != ICMPv6NeighborSolicitation && t != ICMPv6NeighborAdvertisement {
		return h, nil, errUnsupported("neighbor discovery", "type", int(t))
	}
	if b[1] != 0 {
		return h, nil, errMalformed("neighbor discovery", "code", int(b[1]))
	}
	if b[8] == 0xff {
		return h, nil, errMalformed("neighbor discovery", "multicast target", int(b[8]))
	}
	h.Type = t
	h.Checksum = binary.BigEndian.Uint16(b[2:])
	h.Flags = NDFlags(binary.BigEndian.Uint32(b[4:]))
	h.Target = netip.AddrFrom16([16]byte(b[8:24]))
	return h, b[NDLen:], nil
}

// Append appends the message's 24 bytes; options follow.
func (h ND) Append(b []byte) []byte {
	target := h.Target.As16()
	b = append(b, byte(h.Type), 0)
	b = binary.BigEndian.AppendUint16(b, h.Checksum)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Flags))
	return append(b, target[:]...)
}
