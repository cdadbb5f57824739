package dataplanetest

import (
	"net/netip"

	"weft/overlay"
	"weft/packet"
)

func gatewayCases() []testCase {
	return []testCase{
		{"the gateway answers ARP and ND", both, gatewayResolution},
		{"the gateway defends its address", both, gatewayProbe},
		{"the gateway answers unicast ND", both | only6, gatewayReachability},
		{"the gateway answers ping", both, gatewayPing},
		{"the gateway answers link-local ping", both | only6, gatewayPingLinkLocal},
		{"the gateway answers a ping to all nodes", both | only6, gatewayPingAll},
		{"the gateway answers other nodes", bridged, gatewayRemote},
		{"a bridged network's gateway does not route", bridged, gatewayNoRouter},
	}
}

// router is the flag of gateways that route.
func (x *exam) routerFlag() packet.NDFlags {
	if x.kind == overlay.Routed {
		return packet.NDRouter
	}
	return 0
}

// overheard is a copy of a broadcast that need not get to a port, as somebody else
// answers it.
func (x *exam) overheard(h host, frame []byte) []Delivery {
	if x.kind == overlay.Routed {
		return nil // a link of its own
	}
	return []Delivery{x.at(h, frame, Optional)}
}

func gatewayResolution(x *exam) {
	a, b, g := x.alice(), x.bob(), x.gatewayHost()
	x.send(a.place(), ask(a, g.ip), append(x.overheard(b, ask(a, g.ip)),
		x.at(a, tell(g.mac, g.ip, a, x.routerFlag()), Made))...)

	// The other network's gateway has the same address and another MAC.
	m := x.mallory()
	x.send(m.place(), ask(m, g.ip), x.at(m, tell(redVNI.GatewayMAC(), g.ip, m, x.routerFlag()), Made))
}

// A host that tries whether it may have the gateway's address hears no.
func gatewayProbe(x *exam) {
	a, b, g := x.alice(), x.bob(), x.gatewayHost()
	probe := a
	probe.ip = unspecified(a)
	answer := tell(g.mac, g.ip, probe, x.routerFlag())
	want := []Delivery{x.at(a, answer, Made)}
	if x.kind == overlay.Bridged {
		want = append(want, x.at(b, ask(probe, g.ip)))
		if x.overlay == overlay.V6 { // to all nodes: RFC 4861 section 7.2.4
			want = append(want, x.at(b, answer, Made))
		}
	}
	x.send(a.place(), ask(probe, g.ip), want...)
}

// Neighbour unreachability detection (RFC 4861 section 7.3) asks by unicast.
func gatewayReachability(x *exam) {
	a, g := x.alice(), x.gatewayHost()
	e := packet.Ends{SrcMAC: a.mac, DstMAC: g.mac, Src: a.ip, Dst: g.ip, TTL: 255}
	question := icmpv6(e, packet.ND{Type: packet.ICMPv6NeighborSolicitation, Target: g.ip}.Append(nil))
	answer := icmpv6(e.Back(), packet.ND{
		Type: packet.ICMPv6NeighborAdvertisement, Flags: packet.NDSolicited | x.routerFlag(), Target: g.ip,
	}.Append(nil))
	x.send(a.place(), question, x.at(a, answer, Made))
}

// toGateway are the ends of a packet to the gateway.
func toGateway(h, g host) packet.Ends {
	return packet.Ends{SrcMAC: h.mac, DstMAC: g.mac, Src: h.ip, Dst: g.ip}
}

func gatewayPing(x *exam) {
	a, g := x.alice(), x.gatewayHost()
	e := toGateway(a, g)
	x.send(a.place(), ping(e), x.at(a, pong(e.Back()), Made))
	e.TTL = 1 // it is the last hop
	answer := e.Back()
	answer.TTL = 0
	x.send(a.place(), ping(e), x.at(a, pong(answer), Made))
}

func gatewayPingLinkLocal(x *exam) {
	a, g := x.alice().withLinkLocal(), x.gatewayHost().withLinkLocal()
	b := x.bob()
	x.send(a.place(), ask(a, g.ip), append(x.overheard(b, ask(a, g.ip)),
		x.at(a, tell(g.mac, g.ip, a, x.routerFlag()), Made))...)
	e := toGateway(a, g)
	x.send(a.place(), ping(e), x.at(a, pong(e.Back()), Made))
}

func gatewayPingAll(x *exam) {
	a, b, g := x.alice(), x.bob(), x.gatewayHost()
	for _, from := range []host{a, a.withLinkLocal()} {
		question := ping(group(from, netip.IPv6LinkLocalAllNodes()))
		if from.ip.IsLinkLocalUnicast() {
			g = g.withLinkLocal()
		}
		want := []Delivery{x.at(a, pong(toGateway(from, g).Back()), Made)}
		if x.kind == overlay.Bridged {
			want = append(want, x.at(b, question), x.to(nodeB, a, question), x.to(nodeC, a, question))
		}
		x.send(a.place(), question, want...)
	}
}

// A peer that is no Weft node has no gateway of its own.
func gatewayRemote(x *exam) {
	a, b, c, g := x.alice(), x.bob(), x.carol(), x.gatewayHost()
	x.send(Underlay, x.from(c.node, blue, ask(c, g.ip)),
		x.to(c.node, c, tell(g.mac, g.ip, c), Made), x.at(a, ask(c, g.ip)), x.at(b, ask(c, g.ip)))
	e := toGateway(c, g)
	x.send(Underlay, x.from(c.node, blue, ping(e)), x.to(c.node, c, pong(e.Back()), Made))
}

func gatewayNoRouter(x *exam) {
	a, b, g := x.alice(), x.bob(), x.gatewayHost()
	e := x.sent(a, b)
	e.DstMAC = g.mac
	x.drop(a.place(), ping(e), overlay.DropNoRoute)
}
