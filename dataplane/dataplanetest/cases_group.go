package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

func groupCases() []testCase {
	return []testCase{
		{"broadcast goes to everybody", bridged | only4, func(x *exam) { toEverybody(x, x.discover()) }},
		{"multicast goes to everybody", bridged, func(x *exam) { toEverybody(x, x.multicast(x.alice())) }},
		{"broadcast without IP goes to everybody", bridged, func(x *exam) { toEverybody(x, x.shout()) }},
		{"a member's broadcast goes to the ports", bridged, broadcastFromMember},
		{"bum none keeps broadcast here", bridged, bumNone},
		{"a network without members", bridged, alone},
		{"broadcast and multicast are not routed", routed, groupsRouted},
	}
}

// discover is what a host without an address sends (RFC 2131).
func (x *exam) discover() []byte {
	e := packet.Ends{
		SrcMAC: x.alice().mac, DstMAC: packet.Broadcast,
		Src: netip.IPv4Unspecified(), Dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}),
	}
	return e.UDP(68, 67, data)
}

func (x *exam) multicast(h host) []byte { return group(h, mdns(h)).UDP(5353, 5353, data) }

func (x *exam) shout() []byte {
	return ethernet(x.alice().mac, packet.Broadcast, typeLocal, data)
}

func toEverybody(x *exam, frame []byte) {
	a, b := x.alice(), x.bob()
	x.send(a.place(), frame, x.at(b, frame), x.to(nodeB, a, frame), x.to(nodeC, a, frame))
}

func broadcastFromMember(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	frame := x.multicast(c)
	x.send(Underlay, x.from(c.node, blue, frame), x.at(a, frame), x.at(b, frame))
}

func bumNone(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.apply(x.edited(func(n *dataplane.Network) { n.BUM = overlay.BUMNone }))
	for _, frame := range [][]byte{x.multicast(a), x.shout()} {
		x.drop(a.place(), frame, overlay.DropBUM, x.at(b, frame))
	}
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.sent(a, c))))
	x.apply(x.base())
	toEverybody(x, x.shout())
}

func alone(x *exam) {
	a, b := x.alice(), x.bob()
	x.apply(x.edited(func(n *dataplane.Network) {
		n.Members, n.Remotes, n.Neighbors = nil, nil, nil
	}))
	x.send(a.place(), x.shout(), x.at(b, x.shout()))
	x.send(a.place(), ask(a, b.ip), x.at(b, ask(a, b.ip)))
}

func groupsRouted(x *exam) {
	a, c := x.alice(), x.carol()
	x.drop(a.place(), x.multicast(a), overlay.DropNoRoute)
	if a.ip.Is4() {
		x.drop(a.place(), x.discover(), overlay.DropNoRoute)
	}
	e := x.sent(a, x.bob())
	e.DstMAC = packet.Broadcast // RFC 1812 section 5.3.4
	x.drop(a.place(), ping(e), overlay.DropNoRoute)
	x.drop(Underlay, x.from(c.node, blue, x.multicast(c)), overlay.DropNoRoute)
}
