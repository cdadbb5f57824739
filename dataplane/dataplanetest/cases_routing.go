package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

func routingCases() []testCase {
	return []testCase{
		{"TTL runs out", routed, ttlExceeded},
		{"TTL runs out on a packet from a member", routed, ttlExceededRemote},
		{"an address that nobody has", routed | fresh, unreachable},
		{"a packet from a member to nobody", routed | fresh, unreachableRemote},
		{"beyond the subnet", routed | fresh, beyondSubnet},
		{"no error about an error", routed, noErrorAboutErrors},
		{"another router's MAC", routed, otherRouter},
		{"link-local addresses are not routed", routed | only6, linkLocalRouted},
		{"routes without encapsulation", routed, directRoutes},
		{"the gateway answers a directly routed ping", routed | fresh, directGateway},
		{"the longest prefix counts", routed, longestPrefix},
	}
}

// refused wants an ICMP error from the gateway back at a port.
func (x *exam) refused(h host, why overlay.DropReason, kind func(packet.Ends, []byte) ([]byte, error), frame []byte) {
	g := x.gatewayHost()
	x.drop(h.place(), frame, why, x.at(h, refusal(kind, g.mac, g.ip, h, frame), Made, Quoting))
}

func ttlExceeded(x *exam) {
	a := x.alice()
	for _, to := range []host{x.bob(), x.carol()} {
		e := x.sent(a, to)
		e.TTL = 1
		x.refused(a, overlay.DropTTL, packet.TimeExceeded, ping(e))
		e.TTL = 2
		wire := x.tunnelled(a, to)
		wire.TTL = 1
		if to.node != here {
			x.send(a.place(), ping(e), x.to(to.node, a, ping(wire)))
		}
	}
}

// returned wants an ICMP error from the gateway back at a member.
func (x *exam) returned(h host, why overlay.DropReason, kind func(packet.Ends, []byte) ([]byte, error), frame []byte) {
	vtep := host{mac: overlay.VTEPMACFor(h.node), ip: h.ip}
	notice := refusal(kind, overlay.VTEPMACFor(here), x.gatewayHost().ip, vtep, frame)
	x.drop(Underlay, x.from(h.node, blue, frame), why, x.to(h.node, h, notice, Made, Quoting))
}

func ttlExceededRemote(x *exam) {
	c := x.carol()
	e := x.tunnelled(c, x.alice())
	e.TTL = 1
	x.returned(c, overlay.DropTTL, packet.TimeExceeded, ping(e))
}

func unreachable(x *exam) {
	a := x.alice()
	for _, to := range []host{x.nobody(), x.host(blue, "elsewhere", nodeD, 77, 7)} {
		x.refused(a, overlay.DropNoRoute, packet.Unreachable, ping(x.sent(a, to)))
	}
}

func unreachableRemote(x *exam) {
	x.returned(x.carol(), overlay.DropNoRoute, packet.Unreachable, ping(x.tunnelled(x.carol(), x.nobody())))
}

func beyondSubnet(x *exam) {
	a, far := x.alice(), x.nobody()
	far.ip = netip.MustParseAddr("198.51.100.7")
	if x.overlay == overlay.V6 {
		far.ip = netip.MustParseAddr("2001:db8:7::7")
	}
	x.refused(a, overlay.DropNoRoute, packet.Unreachable, ping(x.sent(a, far)))
}

// RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e).
func noErrorAboutErrors(x *exam) {
	a, n := x.alice(), x.nobody()
	offending := ping(x.sent(n, a))
	notice, err := packet.Unreachable(x.sent(a, n), offending[packet.EthernetLen:])
	if err != nil {
		x.wrong("build an ICMP error: %v", err)
		return
	}
	x.drop(a.place(), notice, overlay.DropNoRoute)
}

func otherRouter(x *exam) {
	a := x.alice()
	for _, mac := range []overlay.MAC{x.bob().mac, redVNI.GatewayMAC()} {
		e := x.sent(a, x.bob())
		e.DstMAC = mac
		x.drop(a.place(), ping(e), overlay.DropUnknownUnicast)
	}
}

// A link-local source stays on its link (RFC 4291 section 2.5.6); its sender should hear so
// (RFC 4443 section 3.1).
func linkLocalRouted(x *exam) {
	a, g := x.alice().withLinkLocal(), x.gatewayHost()
	e := x.sent(a, x.carol())
	frame := ping(e)
	x.drop(a.place(), frame, overlay.DropNoRoute,
		x.at(a, refusal(beyondScope, g.mac, g.withLinkLocal().ip, a, frame), Made, Quoting, Optional))
}

// directly has Carol's block reached without encapsulation, or all.
func (x *exam) directly(n *dataplane.Network) {
	n.Routes[shareOf(x.overlay, 2)] = dataplane.Route{Node: nodeB, Direct: true, Via: vtepOf(x.overlay, nodeB)}
}

func directRoutes(x *exam) {
	a, c, d := x.alice(), x.carol(), x.dave()
	x.apply(x.edited(x.directly))
	out := ping(x.tunnelled(a, c))[packet.EthernetLen:]
	x.send(a.place(), ping(x.sent(a, c)), Delivery{At: Underlay, Via: vtepOf(x.overlay, nodeB), Bytes: out, Freedom: Direct})
	x.send(Underlay, pong(x.tunnelled(c, a))[packet.EthernetLen:], x.at(a, pong(x.received(c, a)), Direct))
	// Dave is behind a router: to him it goes in a tunnel.
	x.send(a.place(), ping(x.sent(a, d)), x.to(d.node, a, ping(x.tunnelled(a, d))))

	x.apply(x.base())
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.tunnelled(a, c))))
}

func directGateway(x *exam) {
	a, c := x.alice(), x.carol()
	x.apply(x.edited(x.directly))
	e := x.tunnelled(c, a)
	e.Dst = x.nobody().ip
	offending := ping(e)
	notice := refusal(packet.Unreachable, overlay.MAC{}, x.gatewayHost().ip, c, offending)
	x.drop(Underlay, offending[packet.EthernetLen:], overlay.DropNoRoute, Delivery{
		At: Underlay, Via: vtepOf(x.overlay, nodeB), Bytes: notice[packet.EthernetLen:], Freedom: Direct | Made | Quoting,
	})
}

func longestPrefix(x *exam) {
	a, c := x.alice(), x.carol()
	x.apply(x.edited(func(n *dataplane.Network) {
		n.Routes[netip.PrefixFrom(c.ip, c.ip.BitLen())] = dataplane.Route{Node: nodeC}
	}))
	moved := c
	moved.node = nodeC
	x.send(a.place(), ping(x.sent(a, c)), x.to(nodeC, a, ping(x.tunnelled(a, moved))))
}
