package dataplanetest

import (
	"encoding/binary"
	"slices"

	"pgregory.net/rapid"

	"weft/packet"
)

// wild is what comes in somewhere, right or wrong.
type wild struct {
	at    Place
	bytes []byte
	// segment is the size of the segments, in bytes, that a large frame is to be cut into
	// where it cannot go on in one piece; 0 for other frames.
	segment int
	how     string
}

// Segmenter is a Harness at whose ports large frames can come in as workloads give
// them to a veth: TCP segments or UDP datagrams in one piece, checksum to be filled in.
type Segmenter interface {
	// InjectLarge is Inject of a frame that is to be cut into segments of a size in
	// bytes, their headers not counted.
	InjectLarge(at Place, frame []byte, segment int) error
}

func (w wild) into(h Harness) error {
	if w.segment > 0 {
		if l, ok := h.(lending); ok {
			h = l.Harness
		}
		return h.(Segmenter).InjectLarge(w.at, w.bytes, w.segment)
	}
	return h.Inject(w.at, w.bytes)
}

// drawWild draws a frame, and does something to it.
func (s *scene) drawWild(t *rapid.T) wild {
	n := rapid.SampledFrom(s.networks).Draw(t, "network")
	if rapid.IntRange(0, 2).Draw(t, "from the underlay") == 0 {
		return s.drawWildPacket(t, n)
	}
	from := rapid.SampledFrom(n.of(func(h host) bool { return h.node == here })).Draw(t, "sender")
	if from.name != n.segment && rapid.IntRange(0, 9).Draw(t, "large") == 0 {
		return n.drawLarge(t, from)
	}
	b, how := spoil(t, frameSpoilers, n.drawSent(t, from))
	return wild{at: from.place(), bytes: b[:min(len(b), packet.EthernetLen+UnderlayMTU)], how: how}
}

// drawWildPacket spoils what is inside a tunnel packet, or what is around it.
func (s *scene) drawWildPacket(t *rapid.T, n *setting) wild {
	remote := n.of(func(h host) bool { return h.node != here })
	if len(remote) == 0 || rapid.Bool().Draw(t, "outside") {
		b, how := spoil(t, outerSpoilers, s.drawPacket(t, n))
		return wild{at: Underlay, bytes: fitting(b), how: "outside: " + how}
	}
	from := rapid.SampledFrom(remote).Draw(t, "sender")
	inner, how := spoil(t, frameSpoilers, n.drawSent(t, from))
	return wild{at: Underlay, bytes: fitting(s.wrap(n, from.node, n.vni, inner)), how: "inside: " + how}
}

// fitting is as much of a packet as the underlay carries.
func fitting(b []byte) []byte { return b[:min(len(b), UnderlayMTU)] }

// drawLarge draws what a workload's stack leaves to be cut later.
func (n *setting) drawLarge(t *rapid.T, from host) wild {
	to := rapid.SampledFrom(append(n.reachable(from), n.nobody(from))).Draw(t, "receiver")
	w := wild{at: from.place(), how: "large"}
	w.segment = rapid.IntRange(500, n.world.settings(n.name, n.vni).MTU-packet.IPv6Len-packet.TCPMinLen).Draw(t, "segment")
	payload := make([]byte, rapid.IntRange(w.segment+1, 20000).Draw(t, "payload"))
	for i := range payload {
		payload[i] = byte(i)
	}
	e := from.ends(n, to)
	if rapid.Bool().Draw(t, "TCP") {
		w.bytes = e.TCP(packet.TCP{SrcPort: 4000, DstPort: 80, Seq: 1, Flags: packet.ACK, Window: 1000}, payload)
	} else {
		w.bytes = e.UDP(4000, 4001, payload)
	}
	return w
}

// spoiler is a way to change a frame, or a packet at the underlay.
type spoiler struct {
	how    string
	change func(t *rapid.T, b []byte) []byte
}

// spoil does up to two things to a frame, and says which.
func spoil(t *rapid.T, with []spoiler, b []byte) ([]byte, string) {
	b, how := slices.Clone(b), ""
	for range rapid.IntRange(1, 2).Draw(t, "changes") {
		s := rapid.SampledFrom(with).Draw(t, "change")
		b = s.change(t, b)
		how += s.how + "; "
	}
	return b, how
}

// frameSpoilers are for Ethernet frames.
var frameSpoilers = []spoiler{
	{"as it is", func(_ *rapid.T, b []byte) []byte { return b }},
	{"cut", func(t *rapid.T, b []byte) []byte {
		return b[:rapid.IntRange(min(packet.EthernetLen, len(b)), len(b)).Draw(t, "length")]
	}},
	{"padded", padded},
	{"a byte changed", changed},
	{"VLAN tag", anotherTag},
	{"other destination MAC", func(t *rapid.T, b []byte) []byte {
		copy(b, rapid.SampledFrom(oddMACs).Draw(t, "MAC"))
		return b
	}},
	{"other source MAC", func(t *rapid.T, b []byte) []byte {
		copy(b[6:], rapid.SampledFrom(oddMACs).Draw(t, "MAC"))
		return b
	}},
	{"other type", func(t *rapid.T, b []byte) []byte {
		binary.BigEndian.PutUint16(b[12:], rapid.SampledFrom(oddTypes).Draw(t, "type"))
		return b
	}},
	{"IP options", inside(withOptions)},
	{"fragment", inside(fragmented)},
	{"header checksum", inside(func(t *rapid.T, ip []byte) []byte {
		if isV4(ip) {
			ip[10] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		return ip
	})},
	{"IP header", inside(otherHeader)},
	{"larger", inside(enlarged)},
}

// outerSpoilers are for packets at the underlay.
var outerSpoilers = []spoiler{
	{"as it is", func(_ *rapid.T, b []byte) []byte { return b }},
	{"cut", func(t *rapid.T, b []byte) []byte { return b[:rapid.IntRange(1, len(b)).Draw(t, "length")] }},
	{"padded", padded},
	{"a byte changed", changed},
	{"IP options", withOptions},
	{"fragment", fragmented},
	{"IP header", otherHeader},
	{"UDP", func(t *rapid.T, ip []byte) []byte {
		if at := headerLen(ip); at+packet.UDPLen <= len(ip) {
			field := at + rapid.SampledFrom([]int{0, 2, 4, 6}).Draw(t, "field")
			binary.BigEndian.PutUint16(ip[field:], rapid.Uint16().Draw(t, "value"))
		}
		return ip
	}},
	{"tunnel header", func(t *rapid.T, ip []byte) []byte {
		if at := headerLen(ip) + packet.UDPLen; at+8 <= len(ip) {
			ip[at+rapid.IntRange(0, 7).Draw(t, "byte")] = rapid.Byte().Draw(t, "value")
		}
		return ip
	}},
}

var (
	oddMACs = [][]byte{
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0, 0, 0}, {0x01, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1},
		{0x02, 0, 0, 0, 1, 2}, {0x02, 0, 0, 0, 2, 2}, {0x02, 0x99, 0, 0, 0, 1},
	}
	// 802.3 lengths, PTP, LLDP, a reserved one, and those that other spoilers make.
	oddTypes = []uint16{0, 60, 1500, 0x0600, 0x88f7, 0x88cc, 0xffff, 0x0800, 0x86dd, 0x0806, 0x8100}
)

func padded(t *rapid.T, b []byte) []byte {
	return append(b, rapid.SliceOfN(rapid.Byte(), 1, 70).Draw(t, "padding")...)
}

func changed(t *rapid.T, b []byte) []byte {
	b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	return b
}

func anotherTag(t *rapid.T, b []byte) []byte {
	kind := rapid.SampledFrom([]uint16{uint16(packet.TypeVLAN), uint16(packet.TypeQinQ)}).Draw(t, "TPID")
	id := rapid.SampledFrom([]uint16{0, 1, 5, 4094, 4095, 0xe005}).Draw(t, "TCI")
	return slices.Insert(b, 12, byte(kind>>8), byte(kind), byte(id>>8), byte(id))
}

// inside changes the IP packet in a frame, if there is one.
func inside(change func(*rapid.T, []byte) []byte) func(*rapid.T, []byte) []byte {
	return func(t *rapid.T, b []byte) []byte {
		eth, body, err := packet.ParseEthernet(b)
		if err != nil || len(body) < packet.IPv6Len || eth.Type != packet.TypeIPv4 && eth.Type != packet.TypeIPv6 {
			return b
		}
		return append(b[:packet.EthernetLen:packet.EthernetLen], change(t, body)...)
	}
}

func isV4(ip []byte) bool { return len(ip) >= packet.IPv4MinLen && ip[0]>>4 == 4 }

// headerLen is where an IP packet's header says that it ends.
func headerLen(ip []byte) int {
	if isV4(ip) {
		return int(ip[0]&0x0f) * 4
	}
	return packet.IPv6Len
}

// resealed has the right length and checksum in its header again.
func resealed(ip []byte) []byte {
	switch {
	case len(ip) < packet.IPv4MinLen:
	case !isV4(ip):
		if len(ip) >= packet.IPv6Len {
			binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-packet.IPv6Len))
		}
	case headerLen(ip) <= len(ip):
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], packet.Checksum(ip[:headerLen(ip)]))
	}
	return ip
}

// withOptions puts options into an IPv4 header, and extension headers behind one of IPv6.
func withOptions(t *rapid.T, ip []byte) []byte {
	if isV4(ip) {
		if headerLen(ip) != packet.IPv4MinLen {
			return ip
		}
		options := rapid.SampledFrom([][]byte{
			{1, 1, 1, 0}, {0x94, 4, 0, 0}, {7, 7, 4, 0, 0, 0, 0, 0}, {0x83, 7, 4, 192, 0, 2, 9, 0}, {0x44, 3, 0, 0},
		}).Draw(t, "options")
		ip[0] += byte(len(options) / 4)
		return resealed(slices.Insert(ip, packet.IPv4MinLen, options...))
	}
	kind := rapid.SampledFrom([]packet.Protocol{packet.ProtoHopByHop, packet.ProtoDestOptions, packet.ProtoRouting}).Draw(t, "header")
	return extended(ip, kind, []byte{0, 0, 1, 4, 0, 0, 0, 0})
}

// fragmented makes a packet a fragment.
func fragmented(t *rapid.T, ip []byte) []byte {
	offset := rapid.SampledFrom([]uint16{0, 0, 1, 8, 185, 8191}).Draw(t, "offset")
	more := rapid.Bool().Draw(t, "more")
	if isV4(ip) {
		field := offset
		if more {
			field |= 0x2000
		}
		binary.BigEndian.PutUint16(ip[6:], field)
		return resealed(ip)
	}
	field := offset << 3
	if more {
		field |= 1
	}
	return extended(ip, packet.ProtoFragment, []byte{0, 0, byte(field >> 8), byte(field), 0, 0, 0, 7})
}

// extended puts an extension header behind that of IPv6.
func extended(ip []byte, kind packet.Protocol, header []byte) []byte {
	if len(ip) < packet.IPv6Len {
		return ip
	}
	header = slices.Clone(header)
	header[0], ip[6] = ip[6], byte(kind)
	return resealed(slices.Insert(ip, packet.IPv6Len, header...))
}

// otherHeader changes a field of the header; a checksum stays right.
func otherHeader(t *rapid.T, ip []byte) []byte {
	if len(ip) < packet.IPv4MinLen {
		return ip
	}
	at := rapid.IntRange(0, 9).Draw(t, "field")
	ip[at] = rapid.Byte().Draw(t, "value")
	if isV4(ip) && headerLen(ip) <= len(ip) && headerLen(ip) >= packet.IPv4MinLen {
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], packet.Checksum(ip[:headerLen(ip)]))
	}
	return ip
}

// enlarged makes a packet up to as large as devices take.
func enlarged(t *rapid.T, ip []byte) []byte {
	size := rapid.IntRange(len(ip), max(len(ip), UnderlayMTU)).Draw(t, "size")
	return resealed(append(ip, make([]byte, size-len(ip))...))
}
