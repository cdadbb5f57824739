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

// FramesInside reports whether the tunnel packets of a network carry Ethernet frames.
// IP packets are in those of the others.
func FramesInside(e overlay.Encapsulation, kind overlay.NetworkKind) bool {
	switch e {
	case overlay.EncapVXLAN, overlay.EncapGeneve:
		return true
	case overlay.EncapGRE:
		return kind == overlay.Bridged
	}
	return false
}

// Overhead is how many bytes of an underlay packet an encapsulation takes from the IP
// packets inside, in a network of the kind over an underlay of the family. An inner
// Ethernet header is part of it; Geneve options, of which Weft sends none, are not.
//
//	               IPv4  IPv6
//	vxlan, geneve    50    70
//	gre, bridged     42    62
//	gre, routed      28    48
//	ipip, sit        20    40
//	udp              28    48
//	none              0     0
func Overhead(e overlay.Encapsulation, kind overlay.NetworkKind, underlay overlay.Family) (int, error) {
	header, ok := headerLen(e)
	if !ok || !e.CarriesKind(kind) {
		return 0, fmt.Errorf("%w: encapsulation %q of a %s network", ErrUnknown, e, kind)
	}
	if FramesInside(e, kind) {
		header += packet.EthernetLen
	}
	ip, err := ipLen(underlay)
	if err != nil || e == overlay.EncapNone {
		return 0, err
	}
	return ip + header, nil
}

// headerLen is how many bytes stand between the outer IP header and what is inside.
func headerLen(e overlay.Encapsulation) (n int, ok bool) {
	switch e {
	case overlay.EncapVXLAN:
		return packet.UDPLen + VXLANLen, true
	case overlay.EncapGeneve:
		return packet.UDPLen + GeneveLen, true
	case overlay.EncapGRE:
		return GREKeyLen, true
	case overlay.EncapUDP:
		return packet.UDPLen, true
	case overlay.EncapIPIP, overlay.EncapSIT, overlay.EncapNone:
		return 0, true
	}
	return 0, false
}

// PortMTU is the MTU of a network's ports over an underlay of the family and MTU: the
// largest IP packet that fits, in bytes. It is [ErrMTU] if that is too small for one of
// the families inside, of which IPv4 is one where the encapsulation carries it.
func PortMTU(e overlay.Encapsulation, kind overlay.NetworkKind, underlay overlay.Family, underlayMTU int, inside ...overlay.Family) (int, error) {
	overhead, err := Overhead(e, kind, underlay)
	if err != nil {
		return 0, err
	}
	if e.CarriesFamily(overlay.V4) {
		inside = append([]overlay.Family{overlay.V4}, inside...)
	}
	for _, f := range inside {
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
