package packet

import (
	"encoding/binary"
	"net/netip"
)

// IPv6Len is the length of an IPv6 header in bytes, without extension headers.
const IPv6Len = 40

// IPv6 is an IPv6 header (RFC 8200 section 3).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Traffic Class |           Flow Label                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                  Source Address (16 bytes)                    +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+               Destination Address (16 bytes)                  +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type IPv6 struct {
	TrafficClass uint8  // DSCP in the upper six bits, ECN in the lower two
	FlowLabel    uint32 // 20 bits
	PayloadLen   uint16 // what follows the header, in bytes
	NextHeader   Protocol
	HopLimit     uint8
	Src, Dst     netip.Addr
}

// ParseIPv6 reads an IPv6 header; rest is the payload without padding, beginning
// with the extension headers, if any (see [ParseIPv6Extensions]). Jumbograms
// (RFC 2675) come out with an empty payload.
func ParseIPv6(b []byte) (h IPv6, rest []byte, err error) {
	if len(b) < IPv6Len {
		return h, nil, errShort("ipv6", len(b), IPv6Len)
	}
	word := binary.BigEndian.Uint32(b)
	if v := word >> 28; v != 6 {
		return h, nil, errMalformed("ipv6", "version", int(v))
	}
	h.TrafficClass = uint8(word >> 20)
	h.FlowLabel = word & 0xfffff
	h.PayloadLen = binary.BigEndian.Uint16(b[4:])
	h.NextHeader = Protocol(b[6])
	h.HopLimit = b[7]
	h.Src = netip.AddrFrom16([16]byte(b[8:24]))
	h.Dst = netip.AddrFrom16([16]byte(b[24:40]))
	rest = b[IPv6Len:]
	if n := int(h.PayloadLen); n > len(rest) {
		return h, rest, errCut("ipv6", len(rest), n)
	}
	return h, rest[:h.PayloadLen], nil
}

// Append appends the header's 40 bytes.
func (h IPv6) Append(b []byte) []byte {
	src, dst := h.Src.As16(), h.Dst.As16()
	b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(h.TrafficClass)<<20|h.FlowLabel&0xfffff)
	b = binary.BigEndian.AppendUint16(b, h.PayloadLen)
	b = append(b, byte(h.NextHeader), h.HopLimit)
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}
