package encap

import (
	"errors"
	"fmt"

	"weft/overlay"
	"weft/packet"
)

// Smallest MTU that a link carrying a family must have, in bytes.
const (
	// MinMTU4 is 576: what every IPv4 host must be able to receive (RFC 791).
	// RFC 791 lets links go down to 68, on which little works.
	MinMTU4 = 576
	// MinMTU6 is RFC 8200 section 5's.
	MinMTU6 = 1280
)

// ErrUnknown: an encapsulation or a family that this package does not know, or
// that is still to be chosen (overlay.FamilyAuto).
var ErrUnknown = errors.New("unknown encapsulation or family")

// ErrMTU: the underlay's MTU leaves too little.
var ErrMTU = errors.New("underlay MTU is too small")

// Overhead is how many bytes of an underlay packet an encapsulation takes from the
// IP packets inside, over an underlay of the family: for VXLAN 50 on IPv4 and 70 on
// IPv6, the inner Ethernet header included; for none 0.
func Overhead(e overlay.Encapsulation, underlay overlay.Family) (int, error) {
	outer := 0
	switch underlay {
	case overlay.V4:
		outer = packet.IPv4MinLen
	case overlay.V6:
		outer = packet.IPv6Len
	default:
		return 0, fmt.Errorf("%w: family %q", ErrUnknown, underlay)
	}
	switch e {
	case overlay.EncapNone:
		return 0, nil
	case overlay.EncapVXLAN:
		return outer + packet.UDPLen + VXLANLen + packet.EthernetLen, nil
	}
	return 0, fmt.Errorf("%w: encapsulation %q", ErrUnknown, e)
}

// PortMTU is the MTU of a network's ports over an underlay of the family and MTU: the
// largest IP packet that fits, in bytes. It is [ErrMTU] if that is too small for one of
// the families inside.
func PortMTU(e overlay.Encapsulation, underlay overlay.Family, underlayMTU int, inside ...overlay.Family) (int, error) {
	overhead, err := Overhead(e, underlay)
	if err != nil {
		return 0, err
	}
	for _, f := range append([]overlay.Family{overlay.V4}, inside...) {
		least, err := minMTU(f)
		if err != nil {
			return 0, err
		}
		if underlayMTU-overhead < least {
			return 0, fmt.Errorf("%w: %d bytes; a subnet of family %s with encapsulation %s over %s needs %d",
				ErrMTU, underlayMTU, f, e, underlay, least+overhead)
		}
	}
	return underlayMTU - overhead, nil
}

func minMTU(f overlay.Family) (int, error) {
	switch f {
	case overlay.V4:
		return MinMTU4, nil
	case overlay.V6:
		return MinMTU6, nil
	}
	return 0, fmt.Errorf("%w: family %q", ErrUnknown, f)
}
