package packet

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Sum is a running Internet checksum (RFC 1071): the ones' complement sum of
// 16-bit words, not yet folded. The zero value is the empty sum.
type Sum uint64

// Add adds b. Only the last piece added may have an odd length: its last byte
// counts as the high half of a word.
func (s Sum) Add(b []byte) Sum {
	sum, carry := uint64(s), uint64(0)
	// RFC 1071 section 2(C): a ones' complement sum may be taken in wider words
	// and folded at the end; the carries go round.
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (56 - 8*i)
	}
	sum, carry = bits.Add64(sum, tail, carry)
	sum, carry = bits.Add64(sum, 0, carry)
	return Sum(sum + carry)
}

// Checksum folds the sum and complements it: what belongs into the checksum
// field, or zero if the bytes added include a right one.
func (s Sum) Checksum() uint16 {
	v := uint64(s)
	v = v>>32 + v&0xffffffff
	v = v>>32 + v&0xffffffff
	v = v>>16 + v&0xffff
	v = v>>16 + v&0xffff
	return ^uint16(v)
}

// Checksum is the Internet checksum of b (RFC 1071).
func Checksum(b []byte) uint16 { return Sum(0).Add(b).Checksum() }

// PseudoHeader is the sum of the pseudo header that UDP, TCP and ICMPv6 cover:
// RFC 9293 section 3.1 for IPv4, RFC 8200 section 8.1 for IPv6. The family is
// src's; length is that of the transport header and its payload in bytes.
//
//	IPv4                                  IPv6
//	+--------+--------+--------+--------+ +--------+--------+--------+--------+
//	|          source address           | |          source address           |
//	+--------+--------+--------+--------+ +              (16 bytes)           +
//	|        destination address        | |        destination address        |
//	+--------+--------+--------+--------+ +              (16 bytes)           +
//	|  zero  |protocol|     length      | |              length               |
//	+--------+--------+--------+--------+ +--------+--------+--------+--------+
//	                                      |          zero            |protocol|
//	                                      +--------+--------+--------+--------+
func PseudoHeader(src, dst netip.Addr, p Protocol, length int) Sum {
	var b [40]byte
	if src.Is4() {
		s, d := as4(src), as4(dst)
		copy(b[0:4], s[:])
		copy(b[4:8], d[:])
	} else {
		s, d := src.As16(), dst.As16()
		copy(b[0:16], s[:])
		copy(b[16:32], d[:])
	}
	// Both layouts sum to the same, wherever the zeros stand.
	binary.BigEndian.PutUint32(b[32:36], uint32(length))
	b[39] = byte(p)
	return Sum(0).Add(b[:])
}

// TransportChecksum is the checksum of a UDP, TCP, ICMP or ICMPv6 segment (header
// and payload) between src and dst. With the checksum field zeroed it is what
// belongs there; over a segment as received it is zero if the checksum is right.
//
// UDP alone gives zero a meaning ("none", RFC 768): a sender writes a computed
// zero as 0xffff, and a receiver asks [UDP].Checksum first.
func TransportChecksum(src, dst netip.Addr, p Protocol, segment []byte) uint16 {
	if p == ProtoICMP { // RFC 792: no pseudo header
		return Checksum(segment)
	}
	return PseudoHeader(src, dst, p, len(segment)).Add(segment).Checksum()
}

// as4 is a.As4 with the zero Addr as 0.0.0.0.
func as4(a netip.Addr) [4]byte {
	if !a.IsValid() {
		return [4]byte{}
	}
	return a.As4()
}
