package packet

import "encoding/binary"

// UDPLen is the length of a UDP header in bytes.
const UDPLen = 8

// UDP is a UDP header (RFC 768).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Source Port          |       Destination Port        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Length             |           Checksum            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type UDP struct {
	SrcPort, DstPort uint16
	Length           uint16 // header and payload in bytes, at least 8
	Checksum         uint16 // 0 is none: legal on IPv4, and in tunnels on IPv6 (RFC 6935)
}

// ParseUDP reads a UDP header; rest is the payload, as long as Length says.
func ParseUDP(b []byte) (h UDP, rest []byte, err error) {
	if len(b) < UDPLen {
		return h, nil, errShort("udp", len(b), UDPLen)
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < UDPLen {
		return h, nil, errMalformed("udp", "length", n)
	}
	h.SrcPort = binary.BigEndian.Uint16(b)
	h.DstPort = binary.BigEndian.Uint16(b[2:])
	h.Length = uint16(n)
	h.Checksum = binary.BigEndian.Uint16(b[6:])
	if n > len(b) {
		return h, b[UDPLen:], errCut("udp", len(b), n)
	}
	return h, b[UDPLen:n], nil
}

// Append appends the header's 8 bytes.
func (h UDP) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, h.SrcPort)
	b = binary.BigEndian.AppendUint16(b, h.DstPort)
	b = binary.BigEndian.AppendUint16(b, h.Length)
	return binary.BigEndian.AppendUint16(b, h.Checksum)
}
