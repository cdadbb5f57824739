package packet

import "net/netip"

// ARPRequestFrame is the broadcast of a station that asks who has target.
func ARPRequestFrame(mac [6]byte, ip, target netip.Addr) []byte {
	return arpFrame(Broadcast, ARP{Op: ARPRequest, SenderMAC: mac, SenderIP: ip, TargetIP: target})
}

// ARPReplyFrame tells one station that ip is at mac.
func ARPReplyFrame(mac [6]byte, ip netip.Addr, toMAC [6]byte, toIP netip.Addr) []byte {
	return arpFrame(toMAC, ARP{Op: ARPReply, SenderMAC: mac, SenderIP: ip, TargetMAC: toMAC, TargetIP: toIP})
}

func arpFrame(dst [6]byte, h ARP) []byte {
	b := make([]byte, 0, EthernetLen+ARPLen)
	return h.Append(Ethernet{Dst: dst, Src: h.SenderMAC, Type: TypeARP}.Append(b))
}

// NSFrame is the multicast of a station that asks who has target (RFC 4861
// section 7.2.2). With ip unspecified it is duplicate address detection, which
// names no MAC (RFC 4862 section 5.4.2).
func NSFrame(mac [6]byte, ip, target netip.Addr) []byte {
	group := SolicitedNode(target)
	e := Ends{SrcMAC: mac, DstMAC: MulticastMAC(group), Src: ip, Dst: group, TTL: ndHopLimit}
	b := ND{Type: ICMPv6NeighborSolicitation, Target: target}.Append(make([]byte, 0, NDLen+8))
	if ip.IsUnspecified() {
		return e.icmpv6(b, nil)
	}
	return e.icmpv6(NDOption{Type: NDSourceLinkAddr, Value: mac[:]}.Append(b), nil)
}

// NAFrame tells one station that target is at mac (RFC 4861 section 7.2.4). To the
// unspecified address, the source of a duplicate address detection, it goes to
// all nodes and is not solicited.
func NAFrame(mac [6]byte, target netip.Addr, flags NDFlags, toMAC [6]byte, to netip.Addr) []byte {
	if to.IsUnspecified() {
		to = netip.IPv6LinkLocalAllNodes()
		toMAC = MulticastMAC(to)
		flags &^= NDSolicited
	}
	e := Ends{SrcMAC: mac, DstMAC: toMAC, Src: target, Dst: to, TTL: ndHopLimit}
	b := ND{Type: ICMPv6NeighborAdvertisement, Flags: flags, Target: target}.Append(make([]byte, 0, NDLen+8))
	return e.icmpv6(NDOption{Type: NDTargetLinkAddr, Value: mac[:]}.Append(b), nil)
}
