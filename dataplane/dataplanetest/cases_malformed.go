package dataplanetest

import (
	"encoding/binary"
	"slices"

	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// outerLen is the length of the outer IP header.
func (x *exam) outerLen() int {
	if x.under == overlay.V4 {
		return packet.IPv4MinLen
	}
	return packet.IPv6Len
}

// headerAt is where the encapsulation's own header begins, or, if it has none, what is
// inside.
func (x *exam) headerAt() int {
	if x.encapsulation.DefaultPort() != 0 {
		return x.outerLen() + packet.UDPLen
	}
	return x.outerLen()
}

// malformed are ways to spoil an encapsulation's header.
var malformed = map[overlay.Encapsulation][]func(header []byte){
	overlay.EncapVXLAN: {
		func(h []byte) { h[0] &^= 0x08 }, // no VNI
		func(h []byte) { h[0] |= 0x80 },  // group policy
		func(h []byte) { h[7] = 1 },      // reserved
	},
	overlay.EncapGeneve: {
		func(h []byte) { h[0] |= 0x40 },                              // version 1
		func(h []byte) { h[0] = 63 },                                 // options beyond the packet
		func(h []byte) { h[1] |= 0x80 },                              // control
		func(h []byte) { h[1] |= 0x40 },                              // critical options
		func(h []byte) { binary.BigEndian.PutUint16(h[2:], 0x0806) }, // ARP inside
	},
	overlay.EncapGRE: {
		func(h []byte) { h[1] |= 1 },                                 // version 1
		func(h []byte) { h[0] |= 0x40 },                              // routing
		func(h []byte) { h[0] &^= 0x20 },                             // no key
		func(h []byte) { h[0] |= 0x80 },                              // a wrong checksum
		func(h []byte) { binary.BigEndian.PutUint16(h[2:], 0x0806) }, // ARP inside
	},
	overlay.EncapIPIP: {func(inside []byte) { inside[0] ^= 0x20 }}, // version 6
	overlay.EncapSIT:  {func(inside []byte) { inside[0] ^= 0x20 }}, // version 4
}

func malformedTunnel(x *exam) {
	a, c := x.alice(), x.carol()
	good := x.from(c.node, blue, ping(x.tunnelled(c, a)))
	for _, change := range malformed[x.encapsulation] {
		bad := slices.Clone(good)
		change(bad[x.headerAt():])
		x.drop(Underlay, bad, overlay.DropMalformed)
	}
	short := ping(x.tunnelled(c, a))[:packet.EthernetLen-1]
	if !x.frames() {
		short = ping(x.tunnelled(c, a))[:packet.EthernetLen+packet.IPv4MinLen-1]
	}
	x.drop(Underlay, x.from(c.node, blue, short), overlay.DropMalformed)
}

// otherInside: packets where there are to be frames, and frames where packets.
func otherInside(x *exam) {
	a, c := x.alice(), x.carol()
	o := encap.Outer{
		Encapsulation: x.encapsulation, Src: x.vtep(c.node), Dst: x.vtep(here),
		DstPort: x.encapsulation.DefaultPort(), VNI: blueVNI, Inner: packet.TypeTEB,
	}
	inner := ping(x.tunnelled(c, a))
	if x.frames() {
		o.Inner, inner = parsedEthernet(inner).Type, inner[packet.EthernetLen:]
	}
	x.drop(Underlay, encap.Wrap(o, inner), overlay.DropMalformed)
}

func parsedEthernet(b []byte) packet.Ethernet {
	eth, _, err := packet.ParseEthernet(b)
	if err != nil {
		panic(err) // the suite has just built it
	}
	return eth
}

// inserted is a packet at the underlay with something put in at an offset; its lengths
// are right again, and it has no UDP checksum.
func (x *exam) inserted(b []byte, at int, something []byte) []byte {
	b = slices.Insert(slices.Clone(b), at, something...)
	length := len(b) - x.outerLen()
	if x.under == overlay.V6 {
		binary.BigEndian.PutUint16(b[4:], uint16(length))
	} else {
		h, _, err := packet.ParseIPv4(b)
		if err != nil {
			panic(err) // the suite has just built it
		}
		h.TotalLen = uint16(len(b))
		b = append(h.Append(nil), b[packet.IPv4MinLen:]...)
	}
	if x.encapsulation.DefaultPort() != 0 {
		binary.BigEndian.PutUint16(b[x.outerLen()+4:], uint16(length))
		binary.BigEndian.PutUint16(b[x.outerLen()+6:], 0)
	}
	return b
}

// Options that nobody knows do not matter, unless their sender says that they do (RFC
// 8926 section 3.5).
func geneveOptions(x *exam) {
	const critical = 0x80
	a, c := x.alice(), x.carol()
	plain := x.from(c.node, blue, ping(x.tunnelled(c, a)))
	want := x.at(a, ping(x.received(c, a)))
	for _, option := range [][]byte{
		{0x01, 0x02, 5, 0},
		{0x01, 0x02, 5, 1, 1, 2, 3, 4, 0x01, 0x02, 6, 0},
	} {
		b := x.inserted(plain, x.headerAt()+encap.GeneveLen, option)
		b[x.headerAt()] = byte(len(option) / 4)
		x.send(Underlay, b, want)
		b[x.headerAt()+1] |= 0x40
		b[x.headerAt()+encap.GeneveLen+2] |= critical
		x.drop(Underlay, b, overlay.DropMalformed)
	}
}

// Linux puts one behind the IPv6 header of its tunnels, unless it is told not to.
func tunnelLimit(x *exam) {
	const nextHeader = 6
	a, c := x.alice(), x.carol()
	plain := x.from(c.node, blue, ping(x.tunnelled(c, a)))
	limit := encap.TunnelLimit{Next: packet.Protocol(plain[nextHeader]), HasLimit: true, Limit: 4}
	b := x.inserted(plain, packet.IPv6Len, limit.Append(nil))
	b[nextHeader] = byte(packet.ProtoDestOptions)
	x.send(Underlay, b, x.at(a, ping(x.received(c, a))))
}
