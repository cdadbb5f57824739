package encap

import (
	"encoding/binary"
	"errors"
	"fmt"

	"weft/overlay"
	"weft/packet"
)

// VXLANLen is the length of a VXLAN header in bytes.
const VXLANLen = 8

// What [ParseVXLAN] refuses, beside packet.ErrShort. Test with errors.Is.
var (
	// ErrNoVNI: the I flag is not set, or the VNI is zero.
	ErrNoVNI = errors.New("no VNI")
	// ErrGroupPolicy: the packet carries a group policy ID
	// (draft-smith-vxlan-group-policy), which Weft would lose.
	ErrGroupPolicy = errors.New("VXLAN group policy is not supported")
	// ErrReserved: a flag or a reserved field is set, as VXLAN-GPE does
	// (draft-ietf-nvo3-vxlan-gpe), or remote checksum offload.
	ErrReserved = errors.New("reserved VXLAN bits are set")
)

const (
	vxlanFlagVNI         = 0x08 // I
	vxlanFlagGroupPolicy = 0x80 // G
)

// VXLAN is a VXLAN header (RFC 7348 section 5). An Ethernet frame follows.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|R|R|R|I|R|R|R|            Reserved                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                VXLAN Network Identifier (VNI) |   Reserved    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type VXLAN struct {
	VNI overlay.VNI
}

// ParseVXLAN reads a VXLAN header; rest is the inner frame.
//
// RFC 7348 would have reserved bits ignored. Linux drops packets that carry any
// (drivers/net/vxlan/vxlan_core.c, vxlan_rcv: "treat this as a malformed packet"),
// and so does Weft. Beside [ErrGroupPolicy] and [ErrReserved] the header and the
// inner frame come back all the same, for those who explain packets.
func ParseVXLAN(b []byte) (h VXLAN, rest []byte, err error) {
	if len(b) < VXLANLen {
		return h, nil, fmt.Errorf("parse vxlan: %w: %d of %d bytes", packet.ErrShort, len(b), VXLANLen)
	}
	first, second := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	flags, vni := byte(first>>24), overlay.VNI(second>>8)
	if flags&vxlanFlagVNI == 0 || !vni.Valid() {
		return h, nil, fmt.Errorf("parse vxlan: %w: flags 0x%02x, VNI %d", ErrNoVNI, flags, vni)
	}
	h.VNI = vni
	switch {
	case flags&vxlanFlagGroupPolicy != 0:
		return h, b[VXLANLen:], fmt.Errorf("parse vxlan: %w: group %d", ErrGroupPolicy, uint16(first))
	case first&0x00ffffff != 0 || flags != vxlanFlagVNI || byte(second) != 0:
		return h, b[VXLANLen:], fmt.Errorf("parse vxlan: %w: %x", ErrReserved, b[:VXLANLen])
	}
	return h, b[VXLANLen:], nil
}

// Append appends the header's 8 bytes. An invalid VNI is written as zero, which
// receivers refuse: cut to 24 bits it would name another network.
func (h VXLAN) Append(b []byte) []byte {
	vni := uint32(h.VNI)
	if !h.VNI.Valid() {
		vni = 0
	}
	b = binary.BigEndian.AppendUint32(b, vxlanFlagVNI<<24)
	return binary.BigEndian.AppendUint32(b, vni<<8)
}
