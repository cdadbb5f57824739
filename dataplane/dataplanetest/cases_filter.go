package dataplanetest

import (
	"net/netip"

	"weft/overlay"
	"weft/packet"
)

func filterCases() []testCase {
	return []testCase{
		{"forged MAC", both, forgedMAC},
		{"forged address", both, forgedAddress},
		{"forged address of the other family", both, forgedOtherFamily},
		{"forged ARP sender", both | only4, forgedARPSender},
		{"forged ND target", both | only6, forgedNDTarget},
		{"forged link-local address", both | only6, forgedLinkLocal},
		{"forged address behind a tag", bridged, forgedBehindTag},
		{"an address behind two tags", bridged, forgedBehindTags},
		{"no address but for those who need none", both, forgedUnspecified},
		{"forged broadcast", bridged, forgedBroadcast},
		{"forging the gateway", both, forgedGateway},
		{"hosts without an address may speak", bridged, unspecifiedAllowed},
	}
}

func forgedMAC(x *exam) {
	a, b := x.alice(), x.bob()
	for _, mac := range []overlay.MAC{b.mac, x.carol().mac, {0x02, 0xff, 0, 0, 0, 1}} {
		e := x.sent(a, x.carol())
		e.SrcMAC = mac
		x.drop(a.place(), ping(e), overlay.DropSpoofedMAC)
	}
	// The control: with her own she gets through.
	x.send(a.place(), ping(x.sent(a, b)), x.at(b, ping(x.received(a, b))))
}

func forgedAddress(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	for _, ip := range []netip.Addr{b.ip, c.ip, x.nobody().ip} {
		for _, to := range []host{b, c} {
			e := x.sent(a, to)
			e.Src = ip
			x.drop(a.place(), ping(e), overlay.DropSpoofedIP)
		}
	}
}

func forgedOtherFamily(x *exam) {
	a, b := x.alice(), x.bob()
	other := overlay.V4
	if x.overlay == overlay.V4 {
		other = overlay.V6
	}
	e := x.sent(a, b)
	e.Src, e.Dst = inSubnet(other, 1, 2), inSubnet(other, 1, 3)
	x.drop(a.place(), ping(e), overlay.DropSpoofedIP)
}

// What poisons caches is the sender inside the ARP packet, in questions and answers.
func forgedARPSender(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.drop(a.place(), packet.ARPRequestFrame(a.mac, b.ip, c.ip), overlay.DropSpoofedIP)
	x.drop(a.place(), packet.ARPReplyFrame(a.mac, x.gatewayHost().ip, b.mac, b.ip), overlay.DropSpoofedIP)
	alien := packet.ARP{Op: packet.ARPReply, SenderMAC: c.mac, SenderIP: a.ip, TargetMAC: b.mac, TargetIP: b.ip}
	x.drop(a.place(), ethernet(a.mac, b.mac, packet.TypeARP, alien.Append(nil)), overlay.DropSpoofedIP)
}

// An advertisement's target need not be its source (RFC 4861 section 4.4).
func forgedNDTarget(x *exam) {
	a, b := x.alice(), x.bob()
	e := x.sent(a, b)
	e.TTL = 255
	na := packet.ND{Type: packet.ICMPv6NeighborAdvertisement, Flags: packet.NDOverride, Target: x.gatewayHost().ip}
	message := packet.NDOption{Type: packet.NDTargetLinkAddr, Value: a.mac[:]}.Append(na.Append(nil))
	x.drop(a.place(), icmpv6(e, message), overlay.DropSpoofedIP)
}

func forgedLinkLocal(x *exam) {
	a, b := x.alice(), x.bob()
	e := x.sent(a, b)
	e.Src = b.mac.LinkLocal()
	x.drop(a.place(), ping(e), overlay.DropSpoofedIP)
}

// A receiver takes what is behind a priority tag for its own.
func forgedBehindTag(x *exam) {
	a, b := x.alice(), x.bob()
	e := x.sent(a, b)
	e.Src = x.carol().ip
	x.drop(a.place(), withTag(0, ping(e)), overlay.DropSpoofedIP)
	x.send(a.place(), withTag(0, ping(x.sent(a, b))), x.at(b, withTag(0, ping(x.sent(a, b)))))
}

// Nobody can tell, so nobody gets it.
func forgedBehindTags(x *exam) {
	a, b := x.alice(), x.bob()
	x.drop(a.place(), withTag(0, withTag(0, ping(x.sent(a, b)))), overlay.DropSpoofedIP)
}

func forgedUnspecified(x *exam) {
	a, b := x.alice(), x.bob()
	e := x.sent(a, b)
	e.Src = unspecified(a)
	x.drop(a.place(), e.UDP(4000, 67, data), overlay.DropSpoofedIP)
}

func forgedBroadcast(x *exam) {
	a, b := x.alice(), x.bob()
	x.drop(a.place(), x.multicast(b), overlay.DropSpoofedMAC)
	stolen := a
	stolen.ip = b.ip
	x.drop(a.place(), x.multicast(stolen), overlay.DropSpoofedIP)
}

func forgedGateway(x *exam) {
	a, g := x.alice(), x.gatewayHost()
	e := x.sent(a, x.bob())
	e.SrcMAC = g.mac
	x.drop(a.place(), ping(e), overlay.DropSpoofedMAC)
	e = x.sent(a, x.bob())
	e.Src = g.ip
	x.drop(a.place(), ping(e), overlay.DropSpoofedIP)
}

func unspecifiedAllowed(x *exam) {
	a, b := x.alice(), x.bob()
	if a.ip.Is4() {
		toEverybody(x, x.discover())
		return
	}
	dad := a
	dad.ip = unspecified(a)
	x.send(a.place(), ask(dad, a.ip), x.at(b, ask(dad, a.ip)))
}
