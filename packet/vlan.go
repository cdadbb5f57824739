package packet

import "encoding/binary"

// VLANLen is the length of a VLAN tag behind its TPID: the tag control
// information and the next EtherType.
const VLANLen = 4

// VLAN is an IEEE 802.1Q tag. The TPID is the EtherType of the header before it.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| PCP |D|        VLAN ID        |           EtherType           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type VLAN struct {
	Priority     uint8 // 0 to 7
	DropEligible bool
	ID           uint16 // 0 to 4095; 0 is a priority tag, 4095 reserved
	Type         EtherType
}

// ParseVLAN reads a tag: the bytes behind an EtherType that IsVLAN.
func ParseVLAN(b []byte) (h VLAN, rest []byte, err error) {
	if len(b) < VLANLen {
		return h, nil, errShort("vlan tag", len(b), VLANLen)
	}
	tci := binary.BigEndian.Uint16(b)
	h.Priority = uint8(tci >> 13)
	h.DropEligible = tci&0x1000 != 0
	h.ID = tci & 0x0fff
	h.Type = EtherType(binary.BigEndian.Uint16(b[2:]))
	return h, b[VLANLen:], nil
}

// Append appends the tag's 4 bytes.
func (h VLAN) Append(b []byte) []byte {
	tci := uint16(h.Priority)<<13 | h.ID&0x0fff
	if h.DropEligible {
		tci |= 0x1000
	}
	b = binary.BigEndian.AppendUint16(b, tci)
	return binary.BigEndian.AppendUint16(b, uint16(h.Type))
}
