package dataplanetest

import (
	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

func changeCases() []testCase {
	return []testCase{
		{"the same State again", both, applyAgain},
		{"a port that has gone", both | fresh, portGone},
		{"a port that comes back", both, portBack},
		{"a remote that has gone", both | fresh, remoteGone},
		{"a member that has gone", both | fresh, memberGone},
		{"a network that has gone", both, networkGone},
		{"a network of the other kind under its name", both | named, otherKind},
		{"a station that moves between nodes", bridged, remoteMoves},
		{"an endpoint that moves here", bridged, remoteMovesHere},
		{"a node with another address", both, vtepMoves},
		{"a Delta of another generation", both | fresh, staleDelta},
		{"held networks go on", both, held},
	}
}

// pings holds the normal traffic of the blue network.
func (x *exam) pings() {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.send(a.place(), ping(x.sent(a, b)), x.at(b, ping(x.received(a, b))))
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.tunnelled(a, c))))
	x.send(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, b))), x.at(b, ping(x.received(c, b))))
}

func applyAgain(x *exam) {
	x.pings()
	for _, again := range []func(dataplane.State) bool{x.apply, x.change} {
		for _, c := range x.changes(again, x.last) {
			x.wrong("the same State again changes the host: %s", c)
		}
		x.pings()
	}
	// The control: another State is noticed.
	_, ok := witness(x.h)
	if changes := x.changes(x.change, x.without(x.bob())); ok && len(changes) == 0 {
		x.wrong("a port that has gone is no change to the host")
	}
}

// changes is what applying s changed on the host, as far as the harness sees it.
func (x *exam) changes(apply func(dataplane.State) bool, s dataplane.State) []string {
	w, ok := witness(x.h)
	if !ok {
		apply(s)
		return nil
	}
	changes, err := w.Changes(func() error {
		apply(s)
		return nil
	})
	if err != nil {
		x.wrong("watch the host: %v", err)
	}
	return changes
}

// unreached is the fate of a ping to a host that is not there any more.
func (x *exam) unreached(from, to host) {
	frame := ping(x.sent(from, to))
	if x.kind == overlay.Routed {
		x.refused(from, overlay.DropNoRoute, packet.Unreachable, frame)
		return
	}
	x.drop(from.place(), frame, overlay.DropUnknownUnicast)
}

func (x *exam) without(h host) dataplane.State {
	return x.edited(func(n *dataplane.Network) {
		delete(n.Ports, h.name)
		delete(n.Remotes, h.mac)
		delete(n.Neighbors, h.ip)
		delete(n.Neighbors, h.mac.LinkLocal())
	})
}

func portGone(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.change(x.without(b))
	x.unreached(a, b)
	if x.kind == overlay.Bridged {
		x.drop(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, b))), overlay.DropNoPort)
	}
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.tunnelled(a, c))))
}

func portBack(x *exam) {
	x.change(x.without(x.bob()))
	x.change(x.base())
	x.pings()
}

func remoteGone(x *exam) {
	a, c, d := x.alice(), x.carol(), x.dave()
	x.change(x.edited(func(n *dataplane.Network) {
		delete(n.Remotes, c.mac)
		delete(n.Neighbors, c.ip)
		delete(n.Routes, shareOf(x.overlay, 2))
	}))
	x.unreached(a, c)
	x.send(a.place(), ping(x.sent(a, d)), x.to(d.node, a, ping(x.tunnelled(a, d))))
}

func memberGone(x *exam) {
	a, b, c, d := x.alice(), x.bob(), x.carol(), x.dave()
	x.change(x.edited(func(n *dataplane.Network) {
		delete(n.Members, c.node)
		delete(n.Remotes, c.mac)
		delete(n.Neighbors, c.ip)
		delete(n.Routes, shareOf(x.overlay, 2))
	}))
	x.unreached(a, c)
	x.drop(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, a))), overlay.DropNotMember)
	if x.kind == overlay.Bridged {
		frame := x.shout()
		x.send(a.place(), frame, x.at(b, frame), x.to(d.node, a, frame))
	}
}

func networkGone(x *exam) {
	a, c, m, e := x.alice(), x.carol(), x.mallory(), x.erin()
	s := x.edited(func(*dataplane.Network) {})
	delete(s.Networks, blue)
	x.change(s)
	why := overlay.DropUnknownVNI
	if !x.encapsulation.HasVNI() { // red is left
		why = overlay.DropNotMember
	}
	x.drop(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, a))), why)
	x.send(m.place(), ping(x.sent(m, e)), x.to(e.node, m, ping(x.tunnelled(m, e))))
	x.change(x.base())
	x.pings()
}

// A network may have been deleted and made again before anybody looked.
func otherKind(x *exam) {
	other := &exam{world: x.world, bench: x.bench}
	other.kind = overlay.Routed
	if x.kind == overlay.Routed {
		other.kind = overlay.Bridged
	}
	for _, tell := range []bool{true, false} {
		if other.applied(other.base(), tell) {
			other.pings()
		}
		if x.applied(x.base(), tell) {
			x.pings()
		}
	}
	x.errs = append(x.errs, other.errs...)
}

func remoteMoves(x *exam) {
	a, c := x.alice(), x.carol()
	x.change(x.edited(func(n *dataplane.Network) { n.Remotes[c.mac] = nodeC }))
	x.send(a.place(), ping(x.sent(a, c)), x.to(nodeC, a, ping(x.sent(a, c))))
	x.send(Underlay, x.from(nodeC, blue, ping(x.sent(c, a))), x.at(a, ping(x.sent(c, a))))
}

// Carol comes here, and goes back.
func remoteMovesHere(x *exam) {
	a, c := x.alice(), x.carol()
	c.node = here
	x.change(x.edited(func(n *dataplane.Network) {
		delete(n.Remotes, c.mac)
		addHost(n, x.under, c)
	}))
	x.send(a.place(), ping(x.sent(a, c)), x.at(c, ping(x.sent(a, c))))
	x.send(c.place(), pong(x.sent(c, a)), x.at(a, pong(x.sent(c, a))))
	x.send(a.place(), ask(a, c.ip), x.at(c, ask(a, c.ip)), x.at(x.bob(), ask(a, c.ip)))
	x.change(x.base())
	x.pings()
}

func vtepMoves(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	x.change(x.edited(func(n *dataplane.Network) {
		m := n.Members[c.node]
		m.VTEP = x.vtep(nodeD)
		n.Members[c.node] = m
	}))
	x.send(a.place(), ping(x.sent(a, c)), x.to(nodeD, a, ping(x.tunnelled(a, c))))
	x.send(Underlay, x.from(nodeD, blue, pong(x.tunnelled(c, a))), x.at(a, pong(x.received(c, a))))
	x.drop(Underlay, x.from(c.node, blue, pong(x.tunnelled(c, a))), overlay.DropNotMember)
	if x.kind == overlay.Bridged {
		frame := x.shout()
		x.send(a.place(), frame, x.at(b, frame), x.to(nodeC, a, frame), x.to(nodeD, a, frame))
	}
}

// What a Delta of another generation leaves out must not be missed.
func staleDelta(x *exam) {
	s := x.without(x.bob())
	s.Generation = x.last.Generation + 1
	stale := dataplane.Delta{From: s.Generation + 7, To: s.Generation}
	if err := x.h.Apply(s, &stale); err != nil {
		x.wrong("apply: %v", err)
		return
	}
	x.last, x.drops = s, nil
	if _, err := x.h.Deliveries(); err != nil {
		x.wrong("collect deliveries: %v", err)
	}
	x.unreached(x.alice(), x.bob())
}

func held(x *exam) {
	s := x.edited(func(*dataplane.Network) {})
	delete(s.Networks, blue)
	s.Held = map[overlay.NetworkName]string{blue: "it has a field that this version does not know"}
	x.change(s)
	x.pings()
	x.change(x.base())
	x.pings()
}
