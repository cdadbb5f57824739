package packet

import (
	"encoding/binary"
	"strconv"
)

// ICMPLen is the length of an ICMP header, either version's, in bytes.
const ICMPLen = 8

// ICMPv4Type is the type of an ICMP message.
type ICMPv4Type uint8

const (
	ICMPv4EchoReply        ICMPv4Type = 0
	ICMPv4Unreachable      ICMPv4Type = 3
	ICMPv4SourceQuench     ICMPv4Type = 4
	ICMPv4Redirect         ICMPv4Type = 5
	ICMPv4EchoRequest      ICMPv4Type = 8
	ICMPv4TimeExceeded     ICMPv4Type = 11
	ICMPv4ParameterProblem ICMPv4Type = 12
)

// Codes of ICMPv4Unreachable (RFC 792, RFC 1191).
const (
	CodeNetUnreachable  uint8 = 0
	CodeHostUnreachable uint8 = 1
	CodePortUnreachable uint8 = 3
	CodeFragNeeded      uint8 = 4
)

// String returns the name, or the number.
func (t ICMPv4Type) String() string {
	switch t {
	case ICMPv4EchoReply:
		return "echo reply"
	case ICMPv4Unreachable:
		return "destination unreachable"
	case ICMPv4SourceQuench:
		return "source quench"
	case ICMPv4Redirect:
		return "redirect"
	case ICMPv4EchoRequest:
		return "echo request"
	case ICMPv4TimeExceeded:
		return "time exceeded"
	case ICMPv4ParameterProblem:
		return "parameter problem"
	}
	return "type " + strconv.Itoa(int(t))
}

// IsError reports whether messages of this type report about another packet,
// whose head they carry (RFC 1122 section 3.2.2).
func (t ICMPv4Type) IsError() bool {
	switch t {
	case ICMPv4Unreachable, ICMPv4SourceQuench, ICMPv4Redirect, ICMPv4TimeExceeded, ICMPv4ParameterProblem:
		return true
	}
	return false
}

// ICMPv4 is an ICMP header (RFC 792).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     Code      |          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Rest: identifier and sequence number of an echo;             |
//	|  unused and next-hop MTU of frag-needed; else by type         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv4 struct {
	Type     ICMPv4Type
	Code     uint8
	Checksum uint16
	Rest     uint32
}

// ParseICMPv4 reads an ICMP header; rest is the data, of an error the packet it
// is about, cut off somewhere.
func ParseICMPv4(b []byte) (h ICMPv4, rest []byte, err error) {
	if len(b) < ICMPLen {
		return h, nil, errShort("icmp", len(b), ICMPLen)
	}
	h.Type = ICMPv4Type(b[0])
	h.Code = b[1]
	h.Checksum = binary.BigEndian.Uint16(b[2:])
	h.Rest = binary.BigEndian.Uint32(b[4:])
	return h, b[ICMPLen:], nil
}

// Append appends the header's 8 bytes.
func (h ICMPv4) Append(b []byte) []byte {
	b = append(b, byte(h.Type), h.Code)
	b = binary.BigEndian.AppendUint16(b, h.Checksum)
	return binary.BigEndian.AppendUint32(b, h.Rest)
}

// Echo is the identifier and the sequence number of an echo.
func (h ICMPv4) Echo() (id, seq uint16) { return uint16(h.Rest >> 16), uint16(h.Rest) }

// MTU is the next hop's MTU in a frag-needed message (RFC 1191 section 4).
func (h ICMPv4) MTU() uint16 { return uint16(h.Rest) }
