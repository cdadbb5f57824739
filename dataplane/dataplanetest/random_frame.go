package dataplanetest

import (
	"pgregory.net/rapid"

	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// drawFrame draws a frame that the contract has a word for, and where it comes in.
func (s *scene) drawFrame(t *rapid.T) (Place, []byte) {
	n := rapid.SampledFrom(s.networks).Draw(t, "network")
	if rapid.IntRange(0, 2).Draw(t, "from the underlay") == 0 {
		return Underlay, s.drawPacket(t, n)
	}
	from := rapid.SampledFrom(n.of(func(h host) bool { return h.node == here })).Draw(t, "sender")
	return from.place(), n.drawSent(t, from)
}

// drawPacket draws what a member, or somebody else, sends here.
func (s *scene) drawPacket(t *rapid.T, n *setting) []byte {
	remote := n.of(func(h host) bool {
		return h.node != here && (n.world.kind == overlay.Bridged || !h.ip.IsLinkLocalUnicast())
	})
	if len(remote) == 0 {
		stranger := n.world.host(n.name, "stranger", nodeD, 4, 9)
		return s.wrap(n, nodeD, n.vni, ping(stranger.ends(n, n.hosts[0])))
	}
	from := rapid.SampledFrom(remote).Draw(t, "sender")
	if n.direct && from.node == nodeB && rapid.Bool().Draw(t, "as it is") {
		return n.drawDirect(t, from)
	}
	node, vni := from.node, n.vni
	switch rapid.IntRange(0, 9).Draw(t, "tunnel") {
	case 0:
		node = rapid.SampledFrom([]overlay.NodeName{nodeB, nodeC, nodeD}).Draw(t, "node")
	case 1:
		vni = overlay.VNI(rapid.IntRange(7000, 7005).Draw(t, "VNI"))
	}
	return s.wrap(n, node, vni, n.drawSent(t, from))
}

func (s *scene) wrap(n *setting, node overlay.NodeName, vni overlay.VNI, inner []byte) []byte {
	return wrap(n.world.encapsulation, n.world.kind, encap.Outer{
		Src: vtepOf(n.world.under, node), Dst: vtepOf(n.world.under, here), DstPort: n.world.encapsulation.DefaultPort(), VNI: vni,
	}, inner)
}

// drawDirect draws a packet without encapsulation.
func (n *setting) drawDirect(t *rapid.T, from host) []byte {
	near := n.of(func(h host) bool { return h.node == here && !h.ip.IsLinkLocalUnicast() && h.ip.Is4() == from.ip.Is4() })
	e := from.ends(n, rapid.SampledFrom(append(near, n.nobody(from))).Draw(t, "receiver"))
	e.TOS = rapid.Uint8().Draw(t, "TOS")
	return sized(e, rapid.IntRange(100, UnderlayMTU).Draw(t, "size"))[packet.EthernetLen:]
}

// ends of a packet as they are where it comes in here.
func (h host) ends(n *setting, to host) packet.Ends {
	e := packet.Ends{SrcMAC: h.mac, DstMAC: to.mac, Src: h.ip, Dst: to.ip}
	if n.world.kind == overlay.Routed {
		e.DstMAC = n.vni.GatewayMAC()
		if h.node != here {
			e.SrcMAC, e.DstMAC = overlay.VTEPMACFor(h.node), overlay.VTEPMACFor(here)
		}
	}
	return e
}

// drawSent draws a frame that a host sends.
func (n *setting) drawSent(t *rapid.T, from host) []byte {
	switch rapid.IntRange(0, 9).Draw(t, "frame") {
	case 0, 1:
		return n.drawQuestion(t, from)
	case 2:
		if n.mayAskGateway(from) {
			return ping(from.ends(n, n.gateway(from)))
		}
	case 3:
		if n.world.kind == overlay.Bridged {
			return group(from, mdns(from)).UDP(5353, 5353, data)
		}
	case 4:
		to := rapid.SampledFrom(n.hosts).Draw(t, "receiver")
		return ethernet(from.mac, from.ends(n, to).DstMAC, typeLocal, data)
	}
	return n.drawUnicast(t, from)
}

// mayAskGateway: a station that the registry does not know is looked up by the
// gateway first, when and how it likes; and so is one from beyond a tunnel by its
// link-local address.
func (n *setting) mayAskGateway(from host) bool {
	return from.name != n.segment
}

// drawQuestion draws ARP or ND for somebody, or nobody.
func (n *setting) drawQuestion(t *rapid.T, from host) []byte {
	if n.world.kind == overlay.Routed && from.node != here {
		return n.drawUnicast(t, from)
	}
	about := n.nobody(from)
	same := n.of(func(h host) bool { return h.ip.Is4() == from.ip.Is4() })
	switch rapid.IntRange(0, 9).Draw(t, "about") {
	case 0:
	case 1:
		if n.mayAskGateway(from) {
			about = n.gateway(from)
		}
	case 2:
		from.ip = unspecified(from)
		about = rapid.SampledFrom(same).Draw(t, "target")
	case 3:
		from.ip = rapid.SampledFrom(same).Draw(t, "pretended").ip
	default:
		about = rapid.SampledFrom(same).Draw(t, "target")
	}
	return ask(from, about.ip)
}

func (n *setting) nobody(like host) host {
	h := n.world.host(n.name, "nobody", here, 1, 99)
	h.ip = inSubnet(overlay.FamilyOf(like.ip), 1, 99)
	return h
}

// reachable are those that a host may send packets to; in a bridged network, itself too.
func (n *setting) reachable(from host) []host {
	return n.of(func(h host) bool {
		return h.ip.Is4() == from.ip.Is4() && (n.world.kind == overlay.Bridged || !h.ip.IsLinkLocalUnicast() && h.mac != from.mac)
	})
}

// drawUnicast draws a packet to somebody, or nobody, with one thing about it
// changed now and then.
func (n *setting) drawUnicast(t *rapid.T, from host) []byte {
	reachable := n.reachable(from)
	if len(reachable) == 0 { // a link-local address where there is no IPv6
		return ethernet(from.mac, from.ends(n, from).DstMAC, typeLocal, data)
	}
	to := rapid.SampledFrom(append(reachable, n.nobody(from))).Draw(t, "receiver")
	e := from.ends(n, to)
	size := rapid.SampledFrom([]int{100, 1000, 0, 0}).Draw(t, "size")
	switch rapid.IntRange(0, 9).Draw(t, "change") {
	case 0:
		e.SrcMAC = rapid.SampledFrom(n.hosts).Draw(t, "source MAC").mac
	case 1:
		e.Src = rapid.SampledFrom(reachable).Draw(t, "source address").ip
	case 2:
		e.DstMAC = rapid.SampledFrom(n.hosts).Draw(t, "destination MAC").mac
	case 3:
		if !n.direct { // where the host may be a hop too
			e.TTL = uint8(rapid.IntRange(1, 3).Draw(t, "TTL"))
		}
	case 4:
		e.TOS = rapid.Uint8().Draw(t, "TOS")
	case 5:
		size = rapid.IntRange(1400, n.largest(from)).Draw(t, "size")
	}
	if size > 0 {
		return sized(e, size)
	}
	return rapid.SampledFrom([]func(packet.Ends) []byte{ping, pong, tcp}).Draw(t, "protocol")(e)
}

// largest is the largest packet that a host may send: those of other nodes are too
// large for the underlay beyond the network's MTU, and what a switch behind a
// segment port takes is its owner's to say.
func (n *setting) largest(from host) int {
	if from.node == here && from.name != n.segment {
		return UnderlayMTU
	}
	return n.world.settings(n.name, n.vni).MTU
}

func tcp(e packet.Ends) []byte {
	return e.TCP(packet.TCP{SrcPort: 4000, DstPort: 80, Seq: 1, Flags: packet.SYN, Window: 1000}, nil)
}
