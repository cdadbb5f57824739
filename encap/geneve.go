package encap

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weft/overlay"
	"weft/packet"
)

// GeneveLen is the length of a Geneve header without options in bytes.
const GeneveLen = 8

// What [ParseGeneve] refuses, beside [ErrNoVNI] and the errors of package packet.
var (
	// ErrCritical: an option that its sender wants understood or the packet dropped.
	ErrCritical = errors.New("critical Geneve option is not supported")
	// ErrControl: a control packet (the O bit), whose payload is for no port.
	ErrControl = errors.New("Geneve control packet is not supported")
)

const (
	geneveFlagControl  = 0x80 // O
	geneveFlagCritical = 0x40 // C
)

// Geneve is a Geneve header (RFC 8926 section 3.4). What Protocol says follows.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Virtual Network Identifier (VNI)       |    Reserved   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	~                    Variable-Length Options                    ~
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Geneve struct {
	Protocol packet.EtherType // TypeTEB, TypeIPv4 or TypeIPv6
	VNI      overlay.VNI
	Options  GeneveOptions
}

// Len is the length of the header with its options in bytes.
func (h Geneve) Len() int { return GeneveLen + h.Options.Len() }

// ParseGeneve reads a Geneve header; rest is what it carries. Options are kept as they
// are. Reserved bits do not count (RFC 8926 section 3.4).
//
// Packets with critical options are refused even where the header's C bit, which says
// that there are any, is missing. Beside [ErrCritical] and [ErrControl] the header and
// what it carries come back all the same.
func ParseGeneve(b []byte) (h Geneve, rest []byte, err error) {
	if len(b) < GeneveLen {
		return h, nil, fmt.Errorf("parse geneve: %w: %d of %d bytes", packet.ErrShort, len(b), GeneveLen)
	}
	if v := b[0] >> 6; v != 0 {
		return h, nil, fmt.Errorf("parse geneve: %w: version %d", packet.ErrUnsupported, v)
	}
	length := GeneveLen + int(b[0]&0x3f)*4
	if len(b) < length {
		return h, nil, fmt.Errorf("parse geneve: %w: %d of %d bytes", packet.ErrShort, len(b), length)
	}
	h.Protocol = packet.EtherType(binary.BigEndian.Uint16(b[2:]))
	if !carried(h.Protocol) {
		return Geneve{}, nil, fmt.Errorf("parse geneve: %w: protocol %s", packet.ErrUnsupported, h.Protocol)
	}
	h.VNI = overlay.VNI(binary.BigEndian.Uint32(b[4:]) >> 8)
	if !h.VNI.Valid() {
		return Geneve{}, nil, fmt.Errorf("parse geneve: %w: VNI %d", ErrNoVNI, h.VNI)
	}
	critical, err := checkGeneveOptions(b[GeneveLen:length])
	if err != nil {
		return Geneve{}, nil, err
	}
	h.Options = geneveOptionsOf(b[GeneveLen:length], critical)
	switch {
	case b[1]&geneveFlagControl != 0:
		return h, b[length:], fmt.Errorf("parse geneve: %w", ErrControl)
	case critical || b[1]&geneveFlagCritical != 0:
		return h, b[length:], fmt.Errorf("parse geneve: %w: options %x", ErrCritical, b[GeneveLen:length])
	}
	return h, b[length:], nil
}

// carried reports whether t is something that a tunnel of Weft's may carry.
func carried(t packet.EtherType) bool {
	return t == packet.TypeTEB || t == packet.TypeIPv4 || t == packet.TypeIPv6
}

// Append appends the header with its options. An invalid VNI is written as zero, which
// is nobody's: cut to 24 bits it would name another network.
func (h Geneve) Append(b []byte) []byte {
	vni := uint32(h.VNI)
	if !h.VNI.Valid() {
		vni = 0
	}
	flags := byte(0)
	if h.Options.critical {
		flags = geneveFlagCritical
	}
	b = append(b, byte(h.Options.Len()/4), flags)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Protocol))
	b = binary.BigEndian.AppendUint32(b, vni<<8)
	return h.Options.Append(b)
}
