package packet

import (
	"encoding/binary"
	"net/netip"
)

// IPv4MinLen is the length of an IPv4 header without options in bytes.
const IPv4MinLen = 20

// IPv4Flags are the three flag bits of an IPv4 header.
type IPv4Flags uint8

const (
	MoreFragments IPv4Flags = 1
	DontFragment  IPv4Flags = 2
	ReservedFlag  IPv4Flags = 4 // must be zero (RFC 791); kept, as the kernel does
)

// IPv4 is an IPv4 header (RFC 791 section 3.1).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version|  IHL  |Type of Service|          Total Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Identification        |Flags|      Fragment Offset    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Time to Live |    Protocol   |         Header Checksum       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Source Address                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Destination Address                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Options                    |    Padding    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type IPv4 struct {
	TOS        uint8  // DSCP in the upper six bits, ECN in the lower two
	TotalLen   uint16 // header and payload in bytes
	ID         uint16
	Flags      IPv4Flags
	FragOffset uint16 // in bytes, a multiple of 8
	TTL        uint8
	Protocol   Protocol
	Src, Dst   netip.Addr
	Options    Options
}

// ParseIPv4 reads an IPv4 header and verifies its checksum; rest is the payload
// without padding.
func ParseIPv4(b []byte) (h IPv4, rest []byte, err error) {
	if len(b) < IPv4MinLen {
		return h, nil, errShort("ipv4", len(b), IPv4MinLen)
	}
	if v := b[0] >> 4; v != 4 {
		return h, nil, errMalformed("ipv4", "version", int(v))
	}
	hlen := int(b[0]&0x0f) * 4
	if hlen < IPv4MinLen {
		return h, nil, errMalformed("ipv4", "header length", hlen)
	}
	if hlen > len(b) {
		return h, nil, errShort("ipv4", len(b), hlen)
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total < hlen {
		return h, nil, errMalformed("ipv4", "total length", total)
	}
	h.decode(b[:hlen])
	switch {
	case Checksum(b[:hlen]) != 0:
		return h, b[hlen:min(total, len(b))], errChecksumIPv4(b)
	case total > len(b):
		return h, b[hlen:], errCut("ipv4", len(b), total)
	}
	return h, b[hlen:total], nil
}

// decode fills h from exactly one header.
func (h *IPv4) decode(b []byte) {
	frag := binary.BigEndian.Uint16(b[6:])
	h.TOS = b[1]
	h.TotalLen = binary.BigEndian.Uint16(b[2:])
	h.ID = binary.BigEndian.Uint16(b[4:])
	h.Flags = IPv4Flags(frag >> 13)
	h.FragOffset = frag << 3
	h.TTL = b[8]
	h.Protocol = Protocol(b[9])
	h.Src = netip.AddrFrom4([4]byte(b[12:16]))
	h.Dst = netip.AddrFrom4([4]byte(b[16:20]))
	h.Options = optionsOf(b[IPv4MinLen:])
}

// Len is the length of the header with its options in bytes, 20 to 60.
func (h IPv4) Len() int { return IPv4MinLen + h.Options.Len() }

// Append appends the header with its checksum.
func (h IPv4) Append(b []byte) []byte {
	start := len(b)
	src, dst := as4(h.Src), as4(h.Dst)
	b = append(b, 0x40|byte(h.Len()/4), h.TOS)
	b = binary.BigEndian.AppendUint16(b, h.TotalLen)
	b = binary.BigEndian.AppendUint16(b, h.ID)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Flags&7)<<13|h.FragOffset>>3)
	b = append(b, h.TTL, byte(h.Protocol), 0, 0)
	b = append(b, src[:]...)
	b = append(b, dst[:]...)
	b = h.Options.Append(b)
	binary.BigEndian.PutUint16(b[start+10:], Checksum(b[start:]))
	return b
}

// IsFragment reports whether h is part of a larger packet.
func (h IPv4) IsFragment() bool { return h.FragOffset != 0 || h.Flags&MoreFragments != 0 }
