package user

import "encoding/binary"

// ECN, the lower two bits of TOS (RFC 3168 section 5).
const (
	ecnMask      = 3
	ecnIncapable = 0
	ecnCapable1  = 1
	ecnCapable0  = 2
	ecnCongested = 3
)

// mark gives a packet the ECN that it has to have by that outside (RFC 6040 section 4.2). It is
// false for one that has to be dropped: a router has marked what is outside instead of
// dropping it, which nobody inside would understand.
func mark(b []byte, h head, outside uint8) bool {
	inside := h.tos & ecnMask
	switch {
	case outside == ecnCongested && inside == ecnIncapable:
		return false
	case outside == ecnCongested && inside != ecnCongested, outside == ecnCapable1 && inside == ecnCapable0:
		setTOS(b, h.tos&^ecnMask|outside)
	}
	return true
}

// setTOS changes the TOS of an IP packet, and what its checksum says of it (RFC 1624 section 3).
func setTOS(b []byte, tos uint8) {
	if b[0]>>4 == 6 {
		b[0], b[1] = b[0]&0xf0|tos>>4, b[1]&0x0f|tos<<4
		return
	}
	old := binary.BigEndian.Uint16(b)
	b[1] = tos
	sum := uint32(^binary.BigEndian.Uint16(b[10:])) + uint32(^old) + uint32(binary.BigEndian.Uint16(b))
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum))
}
