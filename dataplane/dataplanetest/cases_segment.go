package dataplanetest

import (
	"weft/dataplane"
	"weft/overlay"
)

func segmentCases() []testCase {
	return []testCase{
		{"stations behind a segment port are learnt", bridged, segmentLearns},
		{"a published station is reached before it speaks", bridged, segmentPublished},
		{"published stations are found again when they have moved", bridged, segmentPublishedMoves},
		{"a segment port is no single port", bridged, segmentSpeaksFreely},
		{"unknown unicast does not reach a segment", bridged, segmentUnknown},
		{"a segment's own traffic stays there", bridged, segmentOwn},
		{"a station does not take over a port", bridged, segmentTakesNothing},
		{"a station moves to another node", bridged, segmentMoves},
		{"a station moves here", bridged, segmentMovesHere},
		{"broadcast reaches a segment", bridged, segmentBroadcast},
		{"a segment's VLAN tags pass", bridged, segmentTags},
	}
}

// office is a port with a switch behind it, and olga and otto on that.
const office overlay.EndpointName = "office"

func (w world) olga() host {
	h := w.host(blue, office, here, 4, 2)
	return h
}

func (w world) otto() host { return w.host(blue, office, here, 4, 3) }

// openOffice makes the port, with stations behind it that the registry has.
func (x *exam) openOffice(published ...host) {
	p := dataplane.Port{Name: office, Kind: overlay.PortSegment, Device: "p-office"}
	for _, h := range published {
		p.Stations = append(p.Stations, h.mac)
	}
	x.apply(x.edited(func(n *dataplane.Network) { n.Ports[office] = p }))
}

func segmentLearns(x *exam) {
	a, c, o := x.alice(), x.carol(), x.olga()
	x.openOffice()
	x.send(o.place(), ping(x.sent(o, a)), x.at(a, ping(x.sent(o, a))))
	x.send(a.place(), pong(x.sent(a, o)), x.at(o, pong(x.sent(a, o))))
	x.send(Underlay, x.from(c.node, blue, ping(x.sent(c, o))), x.at(o, ping(x.sent(c, o))))
	x.send(o.place(), pong(x.sent(o, c)), x.to(c.node, o, pong(x.sent(o, c))))
}

func segmentPublished(x *exam) {
	a, c, o, p := x.alice(), x.carol(), x.olga(), x.otto()
	x.openOffice(o)
	x.send(a.place(), ping(x.sent(a, o)), x.at(o, ping(x.sent(a, o))))
	x.send(Underlay, x.from(c.node, blue, ping(x.sent(c, o))), x.at(o, ping(x.sent(c, o))))
	x.drop(a.place(), ping(x.sent(a, p)), overlay.DropUnknownUnicast)
	x.send(o.place(), pong(x.sent(o, a)), x.at(a, pong(x.sent(o, a))))
}

// What the registry has elsewhere by now is there, whoever was behind the port.
func segmentPublishedMoves(x *exam) {
	a, c, o := x.alice(), x.carol(), x.olga()
	x.openOffice(c, o)
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.sent(a, c))))
	x.change(x.edited(func(n *dataplane.Network) {
		p := n.Ports[office]
		p.Stations = nil
		n.Ports[office] = p
		n.Remotes[o.mac] = nodeB
		n.Neighbors[o.ip] = o.mac
	}))
	x.send(a.place(), ping(x.sent(a, o)), x.to(nodeB, a, ping(x.sent(a, o))))
}

func segmentSpeaksFreely(x *exam) {
	a, o := x.alice(), x.olga()
	x.openOffice()
	anything := o
	anything.ip = x.nobody().ip
	x.send(o.place(), ping(x.sent(anything, a)), x.at(a, ping(x.sent(anything, a))))
}

func segmentUnknown(x *exam) {
	a, c, o := x.alice(), x.carol(), x.otto()
	x.openOffice()
	x.drop(a.place(), ping(x.sent(a, o)), overlay.DropUnknownUnicast)
	x.drop(Underlay, x.from(c.node, blue, ping(x.sent(c, o))), overlay.DropNoPort)
}

func segmentOwn(x *exam) {
	o, p, a := x.olga(), x.otto(), x.alice()
	x.openOffice()
	for _, h := range []host{o, p} {
		x.send(h.place(), ping(x.sent(h, a)), x.at(a, ping(x.sent(h, a))))
	}
	x.drop(o.place(), ping(x.sent(o, p)), overlay.DropNoPort)
}

// What is Alice's goes to Alice, whoever behind the segment says to be her.
func segmentTakesNothing(x *exam) {
	a, b, g := x.alice(), x.bob(), x.gatewayHost()
	x.openOffice()
	at := Place{blue, office}
	x.drop(at, ping(x.sent(a, b)), overlay.DropSpoofedMAC)
	x.send(b.place(), ping(x.sent(b, a)), x.at(a, ping(x.sent(b, a))))
	x.drop(at, ping(x.sent(g, b)), overlay.DropSpoofedMAC)
	x.send(b.place(), ping(toGateway(b, g)), x.at(b, pong(toGateway(b, g).Back()), Made))
}

func segmentMoves(x *exam) {
	a, o := x.alice(), x.olga()
	x.openOffice()
	x.send(o.place(), ping(x.sent(o, a)), x.at(a, ping(x.sent(o, a))))
	x.apply(x.edited(func(n *dataplane.Network) {
		n.Remotes[o.mac] = nodeB
		n.Neighbors[o.ip] = o.mac
	}))
	x.send(a.place(), ping(x.sent(a, o)), x.to(nodeB, a, ping(x.sent(a, o))))
}

// The registry decides that she has moved; until then her traffic goes where it says,
// whoever claims to be her.
func segmentMovesHere(x *exam) {
	a, o := x.alice(), x.olga()
	x.openOffice()
	x.apply(x.edited(func(n *dataplane.Network) {
		n.Remotes[o.mac] = nodeB
		n.Neighbors[o.ip] = o.mac
	}))
	x.send(o.place(), ping(x.sent(o, a)), x.at(a, ping(x.sent(o, a))))
	x.send(a.place(), pong(x.sent(a, o)), x.to(nodeB, a, pong(x.sent(a, o))))
	x.change(x.edited(func(n *dataplane.Network) { delete(n.Remotes, o.mac) }))
	x.send(o.place(), ping(x.sent(o, a)), x.at(a, ping(x.sent(o, a))))
	x.send(a.place(), pong(x.sent(a, o)), x.at(o, pong(x.sent(a, o))))
}

func segmentBroadcast(x *exam) {
	a, b, o := x.alice(), x.bob(), x.olga()
	x.openOffice()
	frame := x.shout()
	x.send(a.place(), frame, x.at(b, frame), x.at(o, frame), x.to(nodeB, a, frame), x.to(nodeC, a, frame))
	frame = ask(o, x.nobody().ip)
	x.send(o.place(), frame, x.at(a, frame), x.at(b, frame), x.to(nodeB, a, frame), x.to(nodeC, a, frame))
}

// A provider's switch puts tags before its customers' (IEEE 802.1ad).
func segmentTags(x *exam) {
	a, c, o := x.alice(), x.carol(), x.olga()
	x.openOffice(o)
	for _, tags := range []uint16{1, 2, 3} {
		frame := func(from, to host) []byte {
			f := ethernet(from.mac, to.mac, typeLocal, data)
			for i := range tags {
				f = withTag(5+i, f)
			}
			return f
		}
		x.send(o.place(), frame(o, a), x.at(a, frame(o, a)))
		x.send(o.place(), frame(o, c), x.to(c.node, o, frame(o, c)))
		x.send(Underlay, x.from(c.node, blue, frame(c, o)), x.at(o, frame(c, o)))
	}
}
