package dataplanetest

import (
	"bytes"

	"weft/overlay"
	"weft/packet"
)

func sizeCases() []testCase {
	return []testCase{
		{"the largest packet passes", both, largest},
		{"a larger one is answered", both, tooLarge},
		{"routed: a larger one to a port here is answered", routed, tooLargeLocal},
		{"routed: fragments without DF", routed | only4, fragments},
	}
}

// sized is a UDP datagram of so many bytes, IP header included.
func sized(e packet.Ends, size int) []byte {
	size -= packet.UDPLen
	if e.Src.Is4() {
		return e.UDP(4000, 4001, bytes.Repeat([]byte{0x55}, size-packet.IPv4MinLen))
	}
	return e.UDP(4000, 4001, bytes.Repeat([]byte{0x55}, size-packet.IPv6Len))
}

func (x *exam) mtu() int { return x.world.settings(blue, blueVNI).MTU }

func largest(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	frame := func(e packet.Ends) []byte { return sized(e, x.mtu()) }
	x.send(a.place(), frame(x.sent(a, b)), x.at(b, frame(x.received(a, b))))
	want := x.to(c.node, a, frame(x.tunnelled(a, c)))
	if len(want.Bytes) != UnderlayMTU {
		x.wrong("the largest packet makes %d bytes at the underlay, want %d", len(want.Bytes), UnderlayMTU)
	}
	x.send(a.place(), frame(x.sent(a, c)), want)
	x.send(Underlay, x.from(c.node, blue, frame(x.tunnelled(c, a))), x.at(a, frame(x.received(c, a))))
}

// tooBig builds what tells a sender the MTU.
func (x *exam) tooBig(e packet.Ends, offending []byte) ([]byte, error) {
	if e.Src.Is4() {
		return packet.FragNeeded(e, uint16(x.mtu()), offending)
	}
	return packet.PacketTooBig(e, uint32(x.mtu()), offending)
}

// Twice: what the first one taught the plane must not make it silent.
func tooLarge(x *exam) {
	a, c, g := x.alice(), x.carol(), x.gatewayHost()
	for _, size := range []int{x.mtu() + 1, x.mtu() + 1, UnderlayMTU} {
		frame := sized(x.sent(a, c), size)
		want := x.at(a, refusal(x.tooBig, g.mac, g.ip, a, frame), Made, Quoting)
		if x.kind == overlay.Bridged { // a bridge has no address of its own
			want.Or = refusal(x.tooBig, c.mac, c.ip, a, frame)
		}
		x.drop(a.place(), frame, overlay.DropTooBig, want)
	}
	frame := sized(x.sent(a, c), x.mtu())
	x.send(a.place(), frame, x.to(c.node, a, sized(x.tunnelled(a, c), x.mtu())))
}

func tooLargeLocal(x *exam) {
	a, b := x.alice(), x.bob()
	frame := sized(x.sent(a, b), x.mtu()+1)
	x.refused(a, overlay.DropTooBig, x.tooBig, frame)
}

// without has the frame's DF flag cleared.
func withoutDF(frame []byte) []byte {
	eth, body, err := packet.ParseEthernet(frame)
	if err != nil {
		panic(err) // the suite has just built it
	}
	h, payload, err := packet.ParseIPv4(body)
	if err != nil {
		panic(err)
	}
	h.Flags, h.ID = 0, 0x1234
	return append(h.Append(eth.Append(nil)), payload...)
}

func fragments(x *exam) {
	a, b, c := x.alice(), x.bob(), x.carol()
	size := x.mtu() + 8
	whole := withoutDF(sized(x.received(a, b), size))
	for _, piece := range fragment(whole[packet.EthernetLen:], x.mtu()) {
		if len(piece) > x.mtu() {
			x.wrong("a fragment of %d bytes, MTU %d", len(piece), x.mtu())
		}
	}
	var local, remote []Delivery
	for _, piece := range fragment(whole[packet.EthernetLen:], x.mtu()) {
		local = append(local, x.at(b, ethernet(x.gatewayHost().mac, b.mac, packet.TypeIPv4, piece)))
	}
	x.send(a.place(), withoutDF(sized(x.sent(a, b), size)), local...)

	wire := x.tunnelled(a, c)
	whole = withoutDF(sized(wire, size))
	for _, piece := range fragment(whole[packet.EthernetLen:], x.mtu()) {
		remote = append(remote, x.to(c.node, a, ethernet(wire.SrcMAC, wire.DstMAC, packet.TypeIPv4, piece)))
	}
	x.send(a.place(), withoutDF(sized(x.sent(a, c), size)), remote...)
}
