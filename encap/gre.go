package encap

import (
	"encoding/binary"
	"fmt"

	"weft/packet"
)

// Lengths of a GRE header in bytes: the least, with the key that networks have, and with
// all that there can be.
const (
	GRELen    = 4
	GREKeyLen = GRELen + 4
	GREMaxLen = GREKeyLen + 8
)

const (
	greFlagChecksum = 0x8000 // C
	greFlagKey      = 0x2000 // K
	greFlagSequence = 0x1000 // S

	// greMustBeZero are the bits 1, 4 and 5, which RFC 1701 used for source routing and
	// RFC 2784 section 2.3 has receivers refuse.
	greMustBeZero = 0x4c00
	greVersion    = 0x0007
)

// GRE is a GRE header (RFC 2784 section 2, RFC 2890 section 2). What Protocol says
// follows.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|C| |K|S| Reserved0       | Ver |         Protocol Type         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Checksum (optional)      |       Reserved1 (Optional)    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Key (optional)                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 Sequence Number (Optional)                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type GRE struct {
	Protocol    packet.EtherType // TypeTEB, TypeIPv4 or TypeIPv6
	HasChecksum bool
	Checksum    uint16 // of header and payload
	HasKey      bool
	Key         uint32
	HasSequence bool
	Sequence    uint32
}

// Len is the length of the header in bytes.
func (h GRE) Len() int { return greLen(h.HasChecksum, h.HasKey, h.HasSequence) }

func greLen(options ...bool) int {
	n := GRELen
	for _, there := range options {
		if there {
			n += 4
		}
	}
	return n
}

// ParseGRE reads a GRE header; rest is what it carries. b ends where the packet does:
// a checksum covers all of it. With packet.ErrChecksum header and rest come back all
// the same.
func ParseGRE(b []byte) (h GRE, rest []byte, err error) {
	if len(b) < GRELen {
		return h, nil, fmt.Errorf("parse gre: %w: %d of %d bytes", packet.ErrShort, len(b), GRELen)
	}
	flags := binary.BigEndian.Uint16(b)
	switch {
	case flags&greVersion != 0: // 1 is PPTP's (RFC 2637)
		return h, nil, fmt.Errorf("parse gre: %w: version %d", packet.ErrUnsupported, flags&greVersion)
	case flags&greMustBeZero != 0:
		return h, nil, fmt.Errorf("parse gre: %w: flags 0x%04x", packet.ErrUnsupported, flags)
	}
	h = GRE{
		Protocol:    packet.EtherType(binary.BigEndian.Uint16(b[2:])),
		HasChecksum: flags&greFlagChecksum != 0,
		HasKey:      flags&greFlagKey != 0,
		HasSequence: flags&greFlagSequence != 0,
	}
	if !carried(h.Protocol) {
		return GRE{}, nil, fmt.Errorf("parse gre: %w: protocol %s", packet.ErrUnsupported, h.Protocol)
	}
	if len(b) < h.Len() {
		return GRE{}, nil, fmt.Errorf("parse gre: %w: %d of %d bytes", packet.ErrShort, len(b), h.Len())
	}
	rest = b[GRELen:]
	if h.HasChecksum {
		h.Checksum, rest = binary.BigEndian.Uint16(rest), rest[4:]
	}
	if h.HasKey {
		h.Key, rest = binary.BigEndian.Uint32(rest), rest[4:]
	}
	if h.HasSequence {
		h.Sequence, rest = binary.BigEndian.Uint32(rest), rest[4:]
	}
	if h.HasChecksum && packet.Checksum(b) != 0 {
		return h, rest, fmt.Errorf("parse gre: %w: 0x%04x", packet.ErrChecksum, h.Checksum)
	}
	return h, rest, nil
}

// Append appends the header, with Checksum as it is: it belongs to the payload, too
// (packet.Checksum over both, with zero in its place).
func (h GRE) Append(b []byte) []byte {
	var flags uint16
	if h.HasChecksum {
		flags |= greFlagChecksum
	}
	if h.HasKey {
		flags |= greFlagKey
	}
	if h.HasSequence {
		flags |= greFlagSequence
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Protocol))
	if h.HasChecksum {
		b = binary.BigEndian.AppendUint32(b, uint32(h.Checksum)<<16)
	}
	if h.HasKey {
		b = binary.BigEndian.AppendUint32(b, h.Key)
	}
	if h.HasSequence {
		b = binary.BigEndian.AppendUint32(b, h.Sequence)
	}
	return b
}
