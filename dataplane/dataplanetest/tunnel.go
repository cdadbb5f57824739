package dataplanetest

import (
	"errors"
	"slices"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// ECN, the lower two bits of TOS (RFC 3168 section 5).
const (
	ecnMask   = 3
	congested = 3 // CE
)

// receives reports whether a packet is addressed to the network's VTEP: UDP port
// and address family.
func receives(n dataplane.Network, outer ipPacket) bool {
	udp, _, err := packet.ParseUDP(outer.payload)
	return err == nil && outer.proto == packet.ProtoUDP && outer.whole &&
		n.Encapsulation == overlay.EncapVXLAN && outer.dst == n.Local && udp.DstPort == n.Port
}

// isTunnel reports whether a packet is addressed to any of the node's VTEPs.
func isTunnel(s dataplane.State, outer ipPacket) bool {
	for _, n := range s.Networks {
		if receives(n, outer) {
			return true
		}
	}
	return false
}

// errCongestion: a router marked the packet instead of dropping it, which those
// inside cannot be told (RFC 6040 section 4.2).
var errCongestion = errors.New("congestion mark cannot be passed on")

// decapsulate takes a tunnel packet apart (RFC 7348). A UDP checksum that is there
// has to be right.
func decapsulate(outer ipPacket) (overlay.VNI, frame, error) {
	udp, _, err := packet.ParseUDP(outer.payload)
	if err != nil {
		return 0, frame{}, err
	}
	if udp.Checksum != 0 && packet.TransportChecksum(outer.src, outer.dst, packet.ProtoUDP, outer.payload) != 0 {
		return 0, frame{}, packet.ErrChecksum
	}
	o, inner, err := encap.Unwrap(overlay.EncapVXLAN, outer.bytes, udp.DstPort)
	if err != nil {
		return 0, frame{}, err
	}
	eth, body, err := packet.ParseEthernet(inner)
	if err != nil {
		return 0, frame{}, err
	}
	f, err := passMark(frame{eth, body, inner}, outer.tos&ecnMask)
	return o.VNI, f, err
}

// passMark copies a congestion mark to the packet inside, if it takes one (RFC 6040
// section 4.2, the column of CE).
func passMark(f frame, outer uint8) (frame, error) {
	p, ok := f.ip()
	switch {
	case outer != congested || !ok:
		return f, nil
	case p.tos&ecnMask == 0:
		return frame{}, errCongestion
	}
	f.body = p.with(p.ttl, p.tos|congested)
	f.bytes = slices.Concat(f.bytes[:packet.EthernetLen], f.body)
	return f, nil
}

// encapsulate is the delivery of a frame to a member. The ECN of the packet inside
// goes outside (RFC 6040 section 4.1).
func encapsulate(n dataplane.Network, to dataplane.Member, inner []byte, free Freedom) Delivery {
	b := encap.Wrap(encap.Outer{Src: n.Local, Dst: to.VTEP, DstPort: n.Port, VNI: n.VNI}, inner)
	if eth, body, err := packet.ParseEthernet(inner); err == nil {
		if p, ok := (frame{eth, body, inner}).ip(); ok {
			outer, _ := parseIP(b) // we have just written it
			b = outer.with(outer.ttl, p.tos&ecnMask)
		}
	}
	return Delivery{At: Underlay, Via: to.VTEP, Bytes: b, Freedom: free | Tunnelled}
}

// room is the largest IP packet that fits into one of the network's tunnel packets.
func room(n dataplane.Network) int {
	overhead, err := encap.Overhead(n.Encapsulation, n.Kind, overlay.FamilyOf(n.Local))
	if err != nil {
		return 0
	}
	return n.UnderlayMTU - overhead
}
