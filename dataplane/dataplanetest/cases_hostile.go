package dataplanetest

import (
	"encoding/binary"
	"slices"

	"weft/overlay"
	"weft/packet"
)

func hostileCases() []testCase {
	return []testCase{
		{"lengths that are not right", both, wrongLengths},
		{"routed: a wrong checksum", routed | only4, wrongChecksum},
		{"packets that end early", both, cutOff},
		{"outer fragments", both, outerFragments},
		{"inner VLAN tags of others", bridged | frames, foreignTags},
	}
}

// reaches puts a frame in, and wants it to come out at nobody but these: there, or nowhere.
func (x *exam) reaches(at Place, frame []byte, only ...host) {
	if err := x.h.Inject(at, frame); err != nil {
		x.wrong("inject at %s: %v", at, err)
		return
	}
	got, err := x.h.Deliveries()
	if err != nil {
		x.wrong("collect deliveries: %v", err)
	}
	for _, d := range got {
		if !slices.ContainsFunc(only, func(h host) bool { return d.At == h.place() }) && !unasked(d) {
			x.wrong("in %s\nunwanted %s", describe(Delivery{At: at, Bytes: frame}), describe(d))
		}
	}
	x.drops = nil
}

// well is a packet each way, as a control.
func (x *exam) well() {
	a, c := x.alice(), x.carol()
	x.send(a.place(), ping(x.sent(a, c)), x.to(c.node, a, ping(x.tunnelled(a, c))))
	x.send(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, a))), x.at(a, ping(x.received(c, a))))
}

// lengths are where an IP packet of a family says how long it is.
var lengths = map[overlay.Family]int{overlay.V4: 2, overlay.V6: 4}

// sumUp gives an IPv4 header the checksum that is right now: else nobody looks further.
func sumUp(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], packet.Checksum(b[:packet.IPv4MinLen]))
}

// No length is believed: not that of the outer IP or UDP header, not that of the one inside.
func wrongLengths(x *exam) {
	a, c := x.alice(), x.carol()
	good := x.from(c.node, blue, ping(x.tunnelled(c, a)))
	inner := len(good) - len(ping(x.tunnelled(c, a))[packet.EthernetLen:])
	fields := []int{lengths[x.under], inner + lengths[x.overlay]}
	if x.encapsulation.DefaultPort() != 0 {
		fields = append(fields, x.outerLen()+4)
	}
	for _, at := range fields {
		right := binary.BigEndian.Uint16(good[at:])
		for _, length := range []uint16{0, 1, 8, 20, right - 1, right + 1, right + 8, 0xffff} {
			bad := slices.Clone(good)
			binary.BigEndian.PutUint16(bad[at:], length)
			if x.under == overlay.V4 {
				sumUp(bad)
			}
			x.reaches(Underlay, bad, a)
		}
	}
	frame := ping(x.sent(a, c))
	at := packet.EthernetLen + lengths[x.overlay]
	for _, more := range []uint16{1, 8, 10000} {
		bad := slices.Clone(frame)
		binary.BigEndian.PutUint16(bad[at:], binary.BigEndian.Uint16(frame[at:])+more)
		if x.overlay == overlay.V4 {
			sumUp(bad[packet.EthernetLen:])
		}
		if x.kind == overlay.Routed { // a switch does not look into what is for another
			x.reaches(a.place(), bad, a)
		}
	}
	x.well()
}

// RFC 1812 section 5.2.2.
func wrongChecksum(x *exam) {
	const checksum = packet.EthernetLen + 10
	a, c := x.alice(), x.carol()
	out, in := ping(x.sent(a, c)), ping(x.tunnelled(c, a))
	out[checksum]++
	in[checksum]++
	x.drop(a.place(), out, overlay.DropMalformed)
	x.drop(Underlay, x.from(c.node, blue, in), overlay.DropMalformed)
}

// Wherever a packet ends, whoever reads on finds nothing.
func cutOff(x *exam) {
	a, c := x.alice(), x.carol()
	good := x.from(c.node, blue, ping(x.tunnelled(c, a)))
	for n := packet.IPv4MinLen; n < len(good); n += 5 {
		x.reaches(Underlay, good[:n], a)
		if x.under == overlay.V4 { // cut off inside the tunnel: outside, all is right
			short, _ := parseIP(good)
			bad := short.with(short.ttl, short.tos)[:n]
			binary.BigEndian.PutUint16(bad[2:], uint16(n))
			sumUp(bad)
			if udp := x.outerLen(); x.encapsulation.DefaultPort() != 0 && n >= udp+packet.UDPLen {
				binary.BigEndian.PutUint16(bad[udp+4:], uint16(n-udp))
				binary.BigEndian.PutUint16(bad[udp+6:], 0)
			}
			x.reaches(Underlay, bad, a)
		}
	}
	x.well()
}

// Fragments of a tunnel packet are the host's to put together, or nobody's; alone, none is let
// in, whatever stands where a header would.
func outerFragments(x *exam) {
	a, c := x.alice(), x.carol()
	inner := ping(x.tunnelled(c, a))
	whole := x.from(c.node, blue, inner)
	for _, b := range [][]byte{whole, x.from(nodeD, blue, inner)} {
		for _, offset := range []uint16{0, 1, 100} {
			for _, more := range []bool{true, false} {
				if offset != 0 || more {
					x.reaches(Underlay, x.asFragment(b, offset, more))
				}
			}
		}
	}
	x.well()
}

// asFragment is a packet at the underlay as a fragment of another one: offset counts units of 8
// bytes.
func (x *exam) asFragment(b []byte, offset uint16, more bool) []byte {
	const moreFragments = 0x2000
	id := uint16(x.fragments)
	x.fragments++ // each of another one
	if x.under == overlay.V4 {
		b = slices.Clone(b)
		if more {
			offset |= moreFragments
		}
		binary.BigEndian.PutUint16(b[4:], id)
		binary.BigEndian.PutUint16(b[6:], offset)
		sumUp(b)
		return b
	}
	const nextHeader, length = 6, 4
	header := []byte{b[nextHeader], 0, 0, 0, 0, 0, byte(id >> 8), byte(id)}
	binary.BigEndian.PutUint16(header[2:], offset<<3)
	if more {
		header[3] |= 1
	}
	b = slices.Insert(slices.Clone(b), packet.IPv6Len, header...)
	b[nextHeader] = byte(packet.ProtoFragment)
	binary.BigEndian.PutUint16(b[length:], uint16(len(b)-packet.IPv6Len))
	return b
}

// Whoever sends a tag in a tunnel has it come out where the frame goes, and nowhere else: there
// are no VLANs here.
func foreignTags(x *exam) {
	a, c := x.alice(), x.carol()
	once := withTag(7, ping(x.tunnelled(c, a)))
	for _, b := range [][]byte{once, withTag(8, once), withTag(0, ping(x.tunnelled(c, a)))} {
		x.reaches(Underlay, x.from(c.node, blue, b), a)
		x.drop(Underlay, x.from(nodeD, blue, b), overlay.DropNotMember)
	}
	x.well()
}
