package dataplanetest

import (
	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

func resolutionCases() []testCase {
	return []testCase{
		{"ARP and ND for another node's are answered here", bridged, resolveRemote},
		{"ARP and ND for this node's stay here", bridged, resolveLocal},
		{"ARP and ND for nobody's go to everybody", bridged, resolveUnknown},
		{"ARP and ND from other nodes", bridged, resolveFromRemote},
		{"ARP and ND answers pass", bridged, resolutionAnswers},
		{"probes and announcements stay here", bridged, probesStay},
		{"unicast questions pass", bridged | only6, unicastSolicitation},
		{"unicast questions pass", bridged | only4, unicastRequest},
		{"ARP and ND are answered without any local owner", bridged, resolveWithoutBUM},
		{"routed: ARP and ND for others are not answered", routed, routedResolution},
	}
}

func resolveRemote(x *exam) {
	a, b := x.alice(), x.bob()
	for _, c := range []host{x.carol(), x.dave(), x.carol().withLinkLocal()} {
		from := a
		if c.ip.IsLinkLocalUnicast() {
			from = a.withLinkLocal()
		}
		x.send(a.place(), ask(from, c.ip), x.at(a, tell(c.mac, c.ip, from)), x.at(b, ask(from, c.ip), Optional))
	}
	// On red the address is Erin's.
	m, e := x.mallory(), x.erin()
	x.send(m.place(), ask(m, e.ip), x.at(m, tell(e.mac, e.ip, m)))
}

func resolveLocal(x *exam) {
	a, b := x.alice(), x.bob()
	x.send(a.place(), ask(a, b.ip), x.at(b, ask(a, b.ip)))
	x.send(b.place(), tell(b.mac, b.ip, a), x.at(a, tell(b.mac, b.ip, a)))
}

func resolveUnknown(x *exam) {
	a, b := x.alice(), x.bob()
	question := ask(a, x.nobody().ip)
	x.send(a.place(), question, x.at(b, question), x.to(nodeB, a, question), x.to(nodeC, a, question))
}

func resolveFromRemote(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	for _, target := range []host{a, x.dave(), x.nobody()} {
		question := ask(c, target.ip)
		x.send(Underlay, x.from(c.node, blue, question), x.at(a, question), x.at(b, question))
	}
}

func resolutionAnswers(x *exam) {
	a, c := x.alice(), x.carol()
	x.send(a.place(), tell(a.mac, a.ip, c), x.to(c.node, a, tell(a.mac, a.ip, c)))
	x.send(Underlay, x.from(c.node, blue, tell(c.mac, c.ip, a)), x.at(a, tell(c.mac, c.ip, a)))
}

// What they say, the registry knows already (RFC 5227, RFC 4862 section 5.4).
func probesStay(x *exam) {
	a, b := x.alice(), x.bob()
	probe := a
	probe.ip = unspecified(a)
	x.send(a.place(), ask(probe, a.ip), x.at(b, ask(probe, a.ip)))
	announcement := ask(a, a.ip)
	if a.ip.Is6() {
		all := a
		all.ip = unspecified(a)
		announcement = tell(a.mac, a.ip, all)
	}
	x.send(a.place(), announcement, x.at(b, announcement))
}

func unicastRequest(x *exam) {
	a, c := x.alice(), x.carol()
	question := packet.ARP{Op: packet.ARPRequest, SenderMAC: a.mac, SenderIP: a.ip, TargetMAC: c.mac, TargetIP: c.ip}
	frame := ethernet(a.mac, c.mac, packet.TypeARP, question.Append(nil))
	x.send(a.place(), frame, x.to(c.node, a, frame))
}

func unicastSolicitation(x *exam) {
	a, c := x.alice(), x.carol()
	e := x.sent(a, c)
	e.TTL = 255
	frame := icmpv6(e, packet.ND{Type: packet.ICMPv6NeighborSolicitation, Target: c.ip}.Append(nil))
	x.send(a.place(), frame, x.to(c.node, a, frame))
}

func resolveWithoutBUM(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.apply(x.edited(func(n *dataplane.Network) { n.BUM = overlay.BUMNone }))
	x.send(a.place(), ask(a, c.ip), x.at(a, tell(c.mac, c.ip, a)), x.at(b, ask(a, c.ip), Optional))
	x.drop(a.place(), ask(a, x.nobody().ip), overlay.DropBUM, x.at(b, ask(a, x.nobody().ip)))
}

func routedResolution(x *exam) {
	a := x.alice()
	why := overlay.DropNotIP
	if x.overlay == overlay.V6 {
		why = overlay.DropNoRoute // a packet to a group
	}
	for _, other := range []host{x.bob(), x.carol(), x.nobody()} {
		x.drop(a.place(), ask(a, other.ip), why)
	}
}
