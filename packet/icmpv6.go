package packet

import (
	"encoding/binary"
	"strconv"
)

// ICMPv6Type is the type of an ICMPv6 message.
type ICMPv6Type uint8

const (
	ICMPv6Unreachable           ICMPv6Type = 1
	ICMPv6PacketTooBig          ICMPv6Type = 2
	ICMPv6TimeExceeded          ICMPv6Type = 3
	ICMPv6ParameterProblem      ICMPv6Type = 4
	ICMPv6EchoRequest           ICMPv6Type = 128
	ICMPv6EchoReply             ICMPv6Type = 129
	ICMPv6MLDQuery              ICMPv6Type = 130
	ICMPv6RouterSolicitation    ICMPv6Type = 133
	ICMPv6RouterAdvertisement   ICMPv6Type = 134
	ICMPv6NeighborSolicitation  ICMPv6Type = 135
	ICMPv6NeighborAdvertisement ICMPv6Type = 136
	ICMPv6Redirect              ICMPv6Type = 137
	ICMPv6MLDv2Report           ICMPv6Type = 143
)

// Codes of ICMPv6Unreachable (RFC 4443 section 3.1).
const (
	CodeV6NoRoute            uint8 = 0
	CodeV6AddressUnreachable uint8 = 3
	CodeV6PortUnreachable    uint8 = 4
)

// String returns the name, or the number.
func (t ICMPv6Type) String() string {
	switch t {
	case ICMPv6Unreachable:
		return "destination unreachable"
	case ICMPv6PacketTooBig:
		return "packet too big"
	case ICMPv6TimeExceeded:
		return "time exceeded"
	case ICMPv6ParameterProblem:
		return "parameter problem"
	case ICMPv6EchoRequest:
		return "echo request"
	case ICMPv6EchoReply:
		return "echo reply"
	case ICMPv6MLDQuery:
		return "multicast listener query"
	case ICMPv6RouterSolicitation:
		return "router solicitation"
	case ICMPv6RouterAdvertisement:
		return "router advertisement"
	case ICMPv6NeighborSolicitation:
		return "neighbor solicitation"
	case ICMPv6NeighborAdvertisement:
		return "neighbor advertisement"
	case ICMPv6Redirect:
		return "redirect"
	case ICMPv6MLDv2Report:
		return "multicast listener report v2"
	}
	return "type " + strconv.Itoa(int(t))
}

// IsError reports whether messages of this type report about another packet,
// whose head they carry: the types below 128 (RFC 4443 section 2.1).
func (t ICMPv6Type) IsError() bool { return t < 128 }

// ICMPv6 is an ICMPv6 header (RFC 4443 section 2.1) with the first word of its
// body, which every message in use has.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     Code      |          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Rest: identifier and sequence number of an echo;             |
//	|  MTU of packet too big; else by type                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv6 struct {
	Type     ICMPv6Type
	Code     uint8
	Checksum uint16
	Rest     uint32
}

// ParseICMPv6 reads an ICMPv6 header; rest is the data, of an error the packet it
// is about, cut off somewhere. Neighbour discovery: see [ParseND].
func ParseICMPv6(b []byte) (h ICMPv6, rest []byte, err error) {
	if len(b) < ICMPLen {
		return h, nil, errShort("icmpv6", len(b), ICMPLen)
	}
	h.Type = ICMPv6Type(b[0])
	h.Code = b[1]
	h.Checksum = binary.BigEndian.Uint16(b[2:])
	h.Rest = binary.BigEndian.Uint32(b[4:])
	return h, b[ICMPLen:], nil
}

// Append appends the header's 8 bytes.
func (h ICMPv6) Append(b []byte) []byte {
	b = append(b, byte(h.Type), h.Code)
	b = binary.BigEndian.AppendUint16(b, h.Checksum)
	return binary.BigEndian.AppendUint32(b, h.Rest)
}

// Echo is the identifier and the sequence number of an echo.
func (h ICMPv6) Echo() (id, seq uint16) { return uint16(h.Rest >> 16), uint16(h.Rest) }

// MTU is the next hop's MTU in a packet too big message (RFC 4443 section 3.2).
func (h ICMPv6) MTU() uint32 { return h.Rest }
