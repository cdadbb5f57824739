package dataplanetest

import (
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// forged says why a frame may not come in at a port, or nothing.
//
// A single port has one endpoint: every claim that a frame makes about who
// sent it has to be that endpoint's. A segment port's stations may say what they
// like, except that they are the gateway or the endpoint of a port here: that would take
// over its traffic.
func forged(n dataplane.Network, p dataplane.Port, f frame) overlay.DropReason {
	if p.Kind == overlay.PortSegment {
		if f.Src == n.GatewayMAC || singlePort(n, f.Src) != nil {
			return overlay.DropSpoofedMAC
		}
		return ""
	}
	if f.Src != p.MAC {
		return overlay.DropSpoofedMAC
	}
	// Behind a tag too: a receiver takes the content of a priority tag (VLAN 0) as
	// its own (IEEE 802.1Q 6.9.1). What is behind two is not looked for.
	switch kind, body := f.untagged(); kind {
	case packet.TypeARP:
		return forgedARP(p, body)
	case packet.TypeIPv4:
		return forgedIPv4(p, body)
	case packet.TypeIPv6:
		return forgedIPv6(p, body)
	case packet.TypeVLAN, packet.TypeQinQ:
		return overlay.DropSpoofedIP
	}
	return ""
}

// forgedARP is about the sender that receivers put into their caches (RFC 826); a
// probe has none yet (RFC 5227). ARP for anything but IPv4 names nobody here. One that
// is cut off before the sender's end says nothing right.
func forgedARP(p dataplane.Port, b []byte) overlay.DropReason {
	const senderEnd = 18
	if len(b) < senderEnd {
		return overlay.DropSpoofedIP
	}
	a, _, err := packet.ParseARP(append(slices.Clone(b), make([]byte, packet.ARPLen)...))
	switch {
	case err != nil:
		return ""
	case a.SenderMAC != p.MAC, !a.SenderIP.IsUnspecified() && !slices.Contains(p.Allowed, a.SenderIP):
		return overlay.DropSpoofedIP
	}
	return ""
}

// forgedIPv4 looks at the source address where it stands; whether the rest is a
// right packet is not the filter's business. A DHCP client has no address yet.
func forgedIPv4(p dataplane.Port, b []byte) overlay.DropReason {
	const client, server = 68, 67 // RFC 2131 section 4.1
	if len(b) < packet.IPv4MinLen {
		return overlay.DropSpoofedIP
	}
	src := netip.AddrFrom4([4]byte(b[12:16]))
	if !src.IsUnspecified() {
		return unless(slices.Contains(p.Allowed, src))
	}
	ip, err := parseIP(b)
	udp, _, udpErr := packet.ParseUDP(ip.payload)
	return unless(err == nil && udpErr == nil && ip.proto == packet.ProtoUDP && udp.SrcPort == client && udp.DstPort == server)
}

// forgedIPv6 looks at the source address and, in an advertisement, at the target,
// which receivers put into their caches (RFC 4861 section 7.2.5). Duplicate address
// detection has no source yet (RFC 4862 section 5.4.2).
func forgedIPv6(p dataplane.Port, b []byte) overlay.DropReason {
	if len(b) < packet.IPv6Len {
		return overlay.DropSpoofedIP
	}
	src, isICMP := netip.AddrFrom16([16]byte(b[8:24])), packet.Protocol(b[6]) == packet.ProtoICMPv6
	if isICMP {
		nd, _, err := packet.ParseND(b[packet.IPv6Len:])
		if err == nil && nd.Type == packet.ICMPv6NeighborAdvertisement && !slices.Contains(p.Allowed, nd.Target) {
			return overlay.DropSpoofedIP
		}
	}
	return unless(slices.Contains(p.Allowed, src) || src.IsUnspecified() && isICMP)
}

// unless the address is right, it is forged.
func unless(right bool) overlay.DropReason {
	if right {
		return ""
	}
	return overlay.DropSpoofedIP
}

// singlePort is the single port with that MAC, or nil.
func singlePort(n dataplane.Network, mac [6]byte) *dataplane.Port {
	for _, p := range n.Ports {
		if p.Kind == overlay.PortSingle && p.MAC == mac {
			return &p
		}
	}
	return nil
}
