package dataplanetest

import (
	"encoding/binary"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

func tunnelCases() []testCase {
	return []testCase{
		{"outer source is no member", both, notMember},
		{"outer source is a member of another network", both | named, memberElsewhere},
		{"unknown VNI", both | named, unknownVNI},
		{"another UDP port", both | udp, otherPort},
		{"another encapsulation", both, otherEncapsulation},
		{"networks of two encapsulations", both | beside, twoEncapsulations},
		{"malformed tunnel headers", both, malformedTunnel},
		{"what the network does not carry", both | typed, otherInside},
		{"Geneve options", both | geneve, geneveOptions},
		{"a tunnel encapsulation limit", both | bareV6, tunnelLimit},
		{"outer UDP checksums", both | udp, outerChecksums},
		{"congestion marks come through", both, congestion},
		{"a source address that no station has", bridged, noSource},
		{"inner MAC is not the VTEP's", routed | frames, otherVTEP},
		{"no IP inside", routed, notIPRouted},
	}
}

func notMember(x *exam) {
	a, c := x.alice(), x.carol()
	x.drop(Underlay, x.from(nodeD, blue, ping(x.tunnelled(c, a))), overlay.DropNotMember)
	x.drop(Underlay, x.from(nodeD, blue, x.multicast(c)), overlay.DropNotMember)
	// The control: the same from Carol's node.
	x.send(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, a))), x.at(a, ping(x.received(c, a))))
}

// Node b is no member of red.
func memberElsewhere(x *exam) {
	m, e := x.mallory(), x.erin()
	x.drop(Underlay, x.from(nodeB, red, ping(x.tunnelled(e, m))), overlay.DropNotMember)
	x.send(Underlay, x.from(e.node, red, ping(x.tunnelled(e, m))), x.at(m, ping(x.received(e, m))))
}

func unknownVNI(x *exam) {
	a, c := x.alice(), x.carol()
	// Each differs from a VNI here in one of its three bytes.
	unknown := []overlay.VNI{blueVNI ^ 0x010000, blueVNI ^ 0x000100, blueVNI ^ 1, redVNI ^ 1}
	if x.encapsulation == overlay.EncapGRE { // whose key has four
		unknown = append(unknown, blueVNI|1<<24, blueVNI|1<<31)
	}
	for _, vni := range unknown {
		x.drop(Underlay, x.fromPort(c.node, x.encapsulation.DefaultPort(), vni, ping(x.tunnelled(c, a))), overlay.DropUnknownVNI)
	}
}

func otherPort(x *exam) {
	a, c := x.alice(), x.carol()
	x.send(Underlay, x.fromPort(c.node, x.encapsulation.DefaultPort()+1, blueVNI, ping(x.tunnelled(c, a))))
}

// A packet of an encapsulation that no network here has is the host's.
func otherEncapsulation(x *exam) {
	a, c := x.alice(), x.carol()
	for _, e := range []overlay.Encapsulation{overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT, overlay.EncapUDP} {
		if e != x.encapsulation && e.CarriesFamily(x.overlay) {
			x.send(Underlay, wrap(e, overlay.Routed, encap.Outer{
				Src: x.vtep(c.node), Dst: x.vtep(here), DstPort: e.DefaultPort(), VNI: blueVNI,
			}, ping(x.tunnelled(c, a))))
		}
	}
}

// None is right on both families (RFC 6935), and one that is there is verified.
func outerChecksums(x *exam) {
	a, c := x.alice(), x.carol()
	frame := x.from(c.node, blue, ping(x.tunnelled(c, a)))
	udp := frame[x.outerLen():]
	want := x.at(a, ping(x.received(c, a)))
	binary.BigEndian.PutUint16(udp[6:], 0)
	x.send(Underlay, frame, want)
	sum := packet.TransportChecksum(x.vtep(c.node), x.vtep(here), packet.ProtoUDP, udp)
	binary.BigEndian.PutUint16(udp[6:], sum)
	x.send(Underlay, frame, want)
	binary.BigEndian.PutUint16(udp[6:], sum+1)
	x.drop(Underlay, frame, overlay.DropMalformed)
}

// Red has VXLAN here: what is in packets of one encapsulation is no business of the
// other's networks.
func twoEncapsulations(x *exam) {
	other := &exam{world: x.world, bench: x.bench}
	other.encapsulation = overlay.EncapVXLAN
	s := x.edited(func(*dataplane.Network) {})
	s.Networks[red] = other.base().Networks[red]
	x.apply(s)
	a, c, m, e := x.alice(), x.carol(), other.mallory(), other.erin()
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.tunnelled(a, c))))
	other.send(m.place(), ping(x.sent(m, e)), other.to(e.node, m, ping(x.tunnelled(m, e))))
	x.send(Underlay, x.from(c.node, blue, pong(x.tunnelled(c, a))), x.at(a, pong(x.received(c, a))))
	other.send(Underlay, other.from(e.node, red, pong(x.tunnelled(e, m))), x.at(m, pong(x.received(e, m))))

	other.drop(Underlay, other.from(c.node, blue, ping(x.tunnelled(c, a))), overlay.DropUnknownVNI)
	why := overlay.DropUnknownVNI
	if !x.encapsulation.HasVNI() {
		why = overlay.DropNotMember
	}
	stranger := e
	stranger.node = nodeD
	x.drop(Underlay, x.from(stranger.node, red, ping(x.tunnelled(stranger, m))), why)
	x.errs = append(x.errs, other.errs...)
}

// WithTOS gives a packet at the underlay another TOS.
func WithTOS(b []byte, tos uint8) []byte {
	p, err := parseIP(b)
	if err != nil {
		panic(err) // the suite has just built it
	}
	return p.with(p.ttl, tos)
}

// lost is in marksInside where a packet is.
const lost = 0xff

// marksInside is the ECN that a packet comes out with, by what it had inside and outside, as RFC
// 6040 section 4.2 has it.
var marksInside = [4][4]uint8{
	incapable: {incapable, incapable, incapable, lost},
	capable1:  {capable1, capable1, capable1, congested},
	capable0:  {capable0, capable1, capable0, congested},
	congested: {congested, congested, congested, congested},
}

// ECN goes outside, and what routers say comes back inside; DSCP is everybody's own.
func congestion(x *exam) {
	const dscp, another = 0x28, 0xb8
	a, c := x.alice(), x.carol()
	for inside, row := range marksInside {
		out, wire := x.sent(a, c), x.tunnelled(a, c)
		out.TOS, wire.TOS = dscp|uint8(inside), dscp|uint8(inside)
		want := x.to(c.node, a, ping(wire))
		want.Bytes = WithTOS(want.Bytes, uint8(inside))
		x.send(a.place(), ping(out), want)

		for outside, ecn := range row {
			wire, in := x.tunnelled(c, a), x.received(c, a)
			wire.TOS, in.TOS = dscp|uint8(inside), dscp|ecn
			b := WithTOS(x.from(c.node, blue, ping(wire)), another|uint8(outside))
			if ecn == lost {
				x.drop(Underlay, b, overlay.DropMalformed)
			} else {
				x.send(Underlay, b, x.at(a, ping(in)))
			}
		}
	}
}

func noSource(x *exam) {
	a, c := x.alice(), x.carol()
	for _, src := range [][6]byte{packet.Broadcast, {}} {
		e := x.tunnelled(c, a)
		e.SrcMAC = src
		x.drop(Underlay, x.from(c.node, blue, ping(e)), overlay.DropMalformed)
	}
}

func otherVTEP(x *exam) {
	a, c := x.alice(), x.carol()
	e := x.tunnelled(c, a)
	e.DstMAC = a.mac
	x.drop(Underlay, x.from(c.node, blue, ping(e)), overlay.DropNoPort)
}

func notIPRouted(x *exam) {
	a, c := x.alice(), x.carol()
	x.drop(a.place(), ethernet(a.mac, x.gatewayHost().mac, typeLocal, data), overlay.DropNotIP)
	why := overlay.DropNotIP
	if !x.frames() {
		why = overlay.DropMalformed
	}
	e := x.tunnelled(c, a)
	x.drop(Underlay, x.from(c.node, blue, ethernet(e.SrcMAC, e.DstMAC, typeLocal, data)), why)
}
