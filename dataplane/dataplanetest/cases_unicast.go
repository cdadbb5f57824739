package dataplanetest

import (
	"weft/overlay"
	"weft/packet"
)

func unicastCases() []testCase {
	return []testCase{
		{"ping between two ports", both, pingLocal},
		{"ping to another node", both, pingRemote},
		{"any protocol passes", both, anyProtocol},
		{"equal addresses on two networks", both | fresh, pingOverlapping},
		{"link-local ping", bridged | only6, pingLinkLocal},
		{"unknown unicast", bridged, unknownUnicast},
		{"a station's own address", bridged, ownAddress},
		{"no way from member to member", bridged, splitHorizon},
		{"no IP inside", bridged, notIPBridged},
		{"VLAN tags pass", bridged, tagged},
		{"a bridge is no hop", bridged, noHop},
	}
}

func pingLocal(x *exam) {
	a, b := x.alice(), x.bob()
	x.send(a.place(), ping(x.sent(a, b)), x.at(b, ping(x.received(a, b))))
	x.send(b.place(), pong(x.sent(b, a)), x.at(a, pong(x.received(b, a))))
}

func pingRemote(x *exam) {
	a := x.alice()
	for _, r := range []host{x.carol(), x.dave()} {
		x.send(a.place(), ping(x.sent(a, r)), x.to(r.node, a, ping(x.tunnelled(a, r))))
		x.send(Underlay, x.from(r.node, blue, pong(x.tunnelled(r, a))), x.at(a, pong(x.received(r, a))))
	}
}

func anyProtocol(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	for _, frame := range []func(packet.Ends) []byte{
		func(e packet.Ends) []byte { return e.UDP(4000, 53, data) },
		func(e packet.Ends) []byte {
			return e.TCP(packet.TCP{SrcPort: 4000, DstPort: 80, Flags: packet.SYN}, nil)
		},
		func(e packet.Ends) []byte { return e.IP(132, data) },
	} {
		x.send(a.place(), frame(x.sent(a, b)), x.at(b, frame(x.received(a, b))))
		x.send(a.place(), frame(x.sent(a, c)), x.to(c.node, a, frame(x.tunnelled(a, c))))
		x.send(Underlay, x.from(c.node, blue, frame(x.tunnelled(c, a))), x.at(a, frame(x.received(c, a))))
	}
}

// Alice and Mallory have the same addresses, and so have Carol and Erin.
func pingOverlapping(x *exam) {
	a, c, m, e := x.alice(), x.carol(), x.mallory(), x.erin()
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.tunnelled(a, c))))
	x.send(m.place(), ping(x.sent(m, e)), x.to(e.node, m, ping(x.tunnelled(m, e))))
	x.send(Underlay, x.from(c.node, blue, pong(x.tunnelled(c, a))), x.at(a, pong(x.received(c, a))))
	x.send(Underlay, x.from(e.node, red, pong(x.tunnelled(e, m))), x.at(m, pong(x.received(e, m))))

	// Bob is on blue alone: red does not reach him, by any address.
	b := x.bob()
	b.network = red
	if x.kind == overlay.Bridged {
		x.drop(m.place(), ping(x.sent(m, b)), overlay.DropUnknownUnicast)
		return
	}
	gateway := x.gatewayHost()
	x.drop(m.place(), ping(x.sent(m, b)), overlay.DropNoRoute,
		x.at(m, refusal(packet.Unreachable, redVNI.GatewayMAC(), gateway.ip, m, ping(x.sent(m, b))), Made, Quoting))
}

func pingLinkLocal(x *exam) {
	a, b, c := x.alice().withLinkLocal(), x.bob().withLinkLocal(), x.carol().withLinkLocal()
	x.send(a.place(), ping(x.sent(a, b)), x.at(b, ping(x.sent(a, b))))
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.sent(a, c))))
	x.send(Underlay, x.from(c.node, blue, pong(x.sent(c, a))), x.at(a, pong(x.sent(c, a))))
}

func unknownUnicast(x *exam) {
	a, c, n := x.alice(), x.carol(), x.nobody()
	x.drop(a.place(), ping(x.sent(a, n)), overlay.DropUnknownUnicast)
	x.drop(Underlay, x.from(c.node, blue, ping(x.sent(c, n))), overlay.DropNoPort)
}

func ownAddress(x *exam) {
	a := x.alice()
	x.drop(a.place(), ping(x.sent(a, a)), overlay.DropNoPort)
}

func splitHorizon(x *exam) {
	c, d := x.carol(), x.dave()
	x.drop(Underlay, x.from(c.node, blue, ping(x.sent(c, d))), overlay.DropLoop)
}

// typeLocal is IEEE 802's "local experimental 1".
const typeLocal packet.EtherType = 0x88b5

func notIPBridged(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	frame := func(from, to host) []byte { return ethernet(from.mac, to.mac, typeLocal, data) }
	x.send(a.place(), frame(a, b), x.at(b, frame(a, b)))
	x.send(a.place(), frame(a, c), x.to(c.node, a, frame(a, c)))
	x.send(Underlay, x.from(c.node, blue, frame(c, a)), x.at(a, frame(c, a)))
}

// withTag puts a VLAN tag into a frame.
func withTag(id uint16, frame []byte) []byte {
	eth, body, err := packet.ParseEthernet(frame)
	if err != nil {
		panic(err) // the suite has just built it
	}
	tag := packet.VLAN{ID: id, Type: eth.Type}
	eth.Type = packet.TypeVLAN
	return append(tag.Append(eth.Append(nil)), body...)
}

func tagged(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.send(a.place(), withTag(5, ping(x.sent(a, b))), x.at(b, withTag(5, ping(x.sent(a, b)))))
	x.send(a.place(), withTag(5, ping(x.sent(a, c))), x.to(c.node, a, withTag(5, ping(x.sent(a, c)))))
	x.send(Underlay, x.from(c.node, blue, withTag(5, pong(x.sent(c, a)))), x.at(a, withTag(5, pong(x.sent(c, a)))))
}

func noHop(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	local, remote := x.sent(a, b), x.sent(a, c)
	local.TTL, remote.TTL = 1, 1
	x.send(a.place(), ping(local), x.at(b, ping(local)))
	x.send(a.place(), ping(remote), x.to(c.node, a, ping(remote)))
}
