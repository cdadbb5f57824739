package packet

import "encoding/binary"

// IPv6Extensions sums up the extension headers of a packet: what a forwarder or
// a tracer needs to find the transport header. Their options are not kept, so
// there is no Append.
type IPv6Extensions struct {
	Protocol   Protocol // what follows the last extension header
	Len        int      // of all extension headers in bytes
	Fragment   bool     // there is a fragment header: also true of an atomic fragment
	FragOffset uint16   // in bytes, a multiple of 8
	More       bool     // more fragments follow
	ID         uint32   // of the fragmented packet
}

// ParseIPv6Extensions walks the extension headers at the start of an IPv6 payload,
// of which next is the first one's number (RFC 8200 section 4). Behind the first
// fragment header of a later fragment there is only data: the walk ends there.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  | Length/8 - 1  |            Options            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |   Reserved    |      Fragment Offset    |Res|M|  fragment
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Identification                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func ParseIPv6Extensions(next Protocol, b []byte) (h IPv6Extensions, rest []byte, err error) {
	h.Protocol = next
	rest = b
	for h.Protocol.isExtension() && h.FragOffset == 0 {
		if len(rest) < 8 {
			return IPv6Extensions{}, nil, errShort("ipv6 extension header", len(rest), 8)
		}
		n := 8
		if h.Protocol == ProtoFragment {
			word := binary.BigEndian.Uint16(rest[2:])
			h.Fragment = true
			h.FragOffset = word &^ 7
			h.More = word&1 != 0
			h.ID = binary.BigEndian.Uint32(rest[4:])
		} else if n += 8 * int(rest[1]); n > len(rest) {
			return IPv6Extensions{}, nil, errShort("ipv6 extension header", len(rest), n)
		}
		h.Protocol = Protocol(rest[0])
		h.Len += n
		rest = rest[n:]
	}
	return h, rest, nil
}

// isExtension reports whether p is an extension header that a reader may skip.
// Authentication and ESP count as the transport here.
func (p Protocol) isExtension() bool {
	switch p {
	case ProtoHopByHop, ProtoRouting, ProtoFragment, ProtoDestOptions:
		return true
	}
	return false
}
