package encap

import (
	"fmt"

	"weft/overlay"
	"weft/packet"
)

// TunnelOverhead is how many bytes of an underlay packet a tunnel's headers take from the
// IP packets that it sends, over an underlay of the family. An inner Ethernet header is
// part of it.
//
//	                IPv4  IPv6
//	vxlan, geneve     50    70
//	gre               24    44
//	gretap            38    58
//	ipip, sit         20    40
//	udp               28    48
//
// A GRE key, checksum and sequence number that the tunnel sends are 4 bytes more each. No
// tunnel of Weft's sends a [TunnelLimit]; a peer that does so (Linux does over IPv6,
// unless it is told "encaplimit none") has 8 bytes less.
func TunnelOverhead(s overlay.TunnelSpec, underlay overlay.Family) (int, error) {
	ip, err := ipLen(underlay)
	if err != nil {
		return 0, err
	}
	header, ok := headerLen(encapsulationOf(s.Mode))
	if !ok || s.Mode == overlay.TunnelMode(overlay.EncapNone) {
		return 0, fmt.Errorf("%w: tunnel mode %q", ErrUnknown, s.Mode)
	}
	if s.Mode.IsGRE() {
		header = greLen(s.OutKey != nil, s.OutChecksum, s.OutSequence)
	}
	if s.Mode.Ethernet() {
		header += packet.EthernetLen
	}
	return ip + header, nil
}

// TunnelMTU is the MTU of a tunnel's interface over an underlay of the family and MTU: the
// largest IP packet that fits, in bytes. It is [ErrMTU] if that is too small for one of
// the families inside, of which IPv4 is one where the mode carries it.
func TunnelMTU(s overlay.TunnelSpec, underlay overlay.Family, underlayMTU int, inside ...overlay.Family) (int, error) {
	overhead, err := TunnelOverhead(s, underlay)
	if err != nil {
		return 0, err
	}
	if s.Mode.Carries(overlay.V4) {
		inside = append([]overlay.Family{overlay.V4}, inside...)
	}
	for _, f := range inside {
		least, err := minMTU(f)
		if err != nil {
			return 0, err
		}
		if underlayMTU-overhead < least {
			return 0, fmt.Errorf("%w: %d bytes; packets of family %s in mode %s over %s need %d",
				ErrMTU, underlayMTU, f, s.Mode, underlay, least+overhead)
		}
	}
	return underlayMTU - overhead, nil
}

// ipLen is the length of an outer IP header.
func ipLen(underlay overlay.Family) (int, error) {
	switch underlay {
	case overlay.V4:
		return packet.IPv4MinLen, nil
	case overlay.V6:
		return packet.IPv6Len, nil
	}
	return 0, fmt.Errorf("%w: family %q", ErrUnknown, underlay)
}
