package encap

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"weft/packet"
)

var (
	ends4 = packet.Ends{
		SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0, 2},
		Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"),
	}
	ends6 = packet.Ends{
		SrcMAC: ends4.SrcMAC, DstMAC: ends4.DstMAC,
		Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2"),
	}
)

// tagged is frame with a VLAN tag of the given TPID.
func tagged(frame []byte, tpid packet.EtherType) []byte {
	eth, rest, _ := packet.ParseEthernet(frame)
	tag := packet.VLAN{ID: 100, Type: eth.Type}
	eth.Type = tpid
	return append(tag.Append(eth.Append(nil)), rest...)
}

// fragments4 splits an IPv4 frame at cut bytes of payload.
func fragments4(frame []byte, cut int) (first, later []byte) {
	eth, b, _ := packet.ParseEthernet(frame)
	h, payload, _ := packet.ParseIPv4(b)
	h.Flags, h.TotalLen = packet.MoreFragments, uint16(packet.IPv4MinLen+cut)
	first = append(h.Append(eth.Append(nil)), payload[:cut]...)
	h.Flags, h.FragOffset, h.TotalLen = 0, uint16(cut), uint16(packet.IPv4MinLen+len(payload)-cut)
	return first, append(h.Append(eth.Append(nil)), payload[cut:]...)
}

// fragments6 is fragments4 for IPv6.
func fragments6(frame []byte, cut int) (first, later []byte) {
	eth, b, _ := packet.ParseEthernet(frame)
	h, payload, _ := packet.ParseIPv6(b)
	piece := func(offset int, more byte, data []byte) []byte {
		ext := []byte{byte(h.NextHeader), 0, byte(offset >> 8), byte(offset) | more, 0, 0, 0, 7}
		ip := h
		ip.NextHeader, ip.PayloadLen = packet.ProtoFragment, uint16(len(ext)+len(data))
		return append(append(ip.Append(eth.Append(nil)), ext...), data...)
	}
	return piece(0, 1, payload[:cut]), piece(cut, 0, payload[cut:])
}

func TestSourcePortSameFlowSamePort(t *testing.T) {
	t.Parallel()
	long := make([]byte, 64)
	first4, later4 := fragments4(ends4.UDP(1000, 53, long), 24)
	first6, later6 := fragments6(ends6.UDP(1000, 53, long), 24)
	otherMAC := ends4
	otherMAC.SrcMAC = [6]byte{2, 0, 0, 0, 0, 9}
	for name, pair := range map[string][2][]byte{
		"another payload, v4":      {ends4.UDP(1000, 53, nil), ends4.UDP(1000, 53, long)},
		"another payload, v6":      {ends6.UDP(1000, 53, nil), ends6.UDP(1000, 53, long)},
		"another sequence number":  {ends4.TCP(packet.TCP{SrcPort: 1, Seq: 1}, nil), ends4.TCP(packet.TCP{SrcPort: 1, Seq: 2}, long)},
		"another ping":             {ends4.EchoRequest(1, 1, nil), ends4.EchoRequest(1, 2, nil)},
		"another MAC, same IP":     {ends4.UDP(1000, 53, nil), otherMAC.UDP(1000, 53, nil)},
		"with a VLAN tag":          {ends4.UDP(1000, 53, nil), tagged(ends4.UDP(1000, 53, nil), packet.TypeVLAN)},
		"with two VLAN tags":       {ends6.UDP(1000, 53, nil), tagged(tagged(ends6.UDP(1000, 53, nil), packet.TypeVLAN), packet.TypeQinQ)},
		"fragments of one, v4":     {first4, later4},
		"fragments of one, v6":     {first6, later6},
		"ARP request and the next": {packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst), packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Src)},
	} {
		if a, b := SourcePort(pair[0]), SourcePort(pair[1]); a != b {
			t.Errorf("%s: %d and %d", name, a, b)
		}
	}
}

func TestSourcePortOtherFlowOtherPort(t *testing.T) {
	t.Parallel()
	back4, back6 := ends4.Back(), ends6.Back()
	seen := map[uint16]string{}
	for name, frame := range map[string][]byte{
		"UDP":               ends4.UDP(1000, 53, nil),
		"UDP, source port":  ends4.UDP(1001, 53, nil),
		"UDP, dest port":    ends4.UDP(1000, 54, nil),
		"TCP":               ends4.TCP(packet.TCP{SrcPort: 1000, DstPort: 53}, nil),
		"UDP back":          back4.UDP(1000, 53, nil),
		"ping":              ends4.EchoRequest(1, 1, nil),
		"UDP over v6":       ends6.UDP(1000, 53, nil),
		"UDP over v6, port": ends6.UDP(1000, 54, nil),
		"UDP over v6 back":  back6.UDP(1000, 53, nil),
		"ARP":               packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst),
		"ARP of another":    packet.ARPRequestFrame(ends4.DstMAC, ends4.Src, ends4.Dst),
	} {
		port := SourcePort(frame)
		if other, ok := seen[port]; ok {
			t.Errorf("%s and %s: both %d", name, other, port)
		}
		seen[port] = name
	}
}

// Frames that do not parse get a port too, by what can be read of them.
func TestSourcePortOfBrokenFrames(t *testing.T) {
	t.Parallel()
	whole := ends6.UDP(1000, 53, make([]byte, 20))
	for n := range whole {
		if p := SourcePort(whole[:n]); p < minSourcePort {
			t.Errorf("%d bytes: port %d", n, p)
		}
	}
	broken := tagged(ends4.UDP(1000, 53, nil), packet.TypeVLAN)[:16]
	if a, b := SourcePort(broken), SourcePort(packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst)); a == b {
		t.Error("a frame to one station has a broadcast's port")
	}
	h, payload, _ := packet.ParseIPv6(whole[packet.EthernetLen:])
	h.NextHeader = packet.ProtoHopByHop // and the UDP header is no extension header
	frame := append(h.Append(whole[:packet.EthernetLen:packet.EthernetLen]), with(payload, 1, 255)...)
	if p := SourcePort(frame); p < minSourcePort || p == SourcePort(whole) {
		t.Errorf("broken extension header: port %d", p)
	}
}

func with(b []byte, at int, v byte) []byte {
	b = append([]byte(nil), b...)
	b[at] = v
	return b
}

func TestSourcePortIsInRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		frame := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "frame")
		if len(frame) >= packet.EthernetLen {
			typ := rapid.SampledFrom([]packet.EtherType{packet.TypeIPv4, packet.TypeIPv6, packet.TypeVLAN, packet.TypeARP}).Draw(t, "type")
			binary.BigEndian.PutUint16(frame[12:], uint16(typ))
		}
		if p := SourcePort(frame); p < minSourcePort {
			t.Fatalf("port %d", p)
		}
	})
}

// 16384 flows that differ only in a port, or only in the last byte of an address,
// fall into 64 buckets of the ports about as a fair die would: chi-square with 63
// degrees of freedom exceeds 120 once in 50,000 fair throws.
func TestSourcePortSpreads(t *testing.T) {
	t.Parallel()
	const flows, buckets = 16384, 64
	for name, flow := range map[string]func(i int) []byte{
		"source ports, v4": func(i int) []byte { return ends4.UDP(uint16(i), 53, nil) },
		"source ports, v6": func(i int) []byte { return ends6.UDP(uint16(i), 53, nil) },
		"addresses": func(i int) []byte {
			e := ends4
			e.Dst = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			return e.EchoRequest(1, 1, nil)
		},
		"MACs": func(i int) []byte {
			return packet.ARPRequestFrame([6]byte{2, 0, 0, 0, byte(i >> 8), byte(i)}, ends4.Src, ends4.Dst)
		},
	} {
		var count [buckets]int
		for i := range flows {
			count[(SourcePort(flow(i))-minSourcePort)/(sourcePorts/buckets)]++
		}
		chi := 0.0
		for _, n := range count {
			d := float64(n) - flows/buckets
			chi += d * d / (flows / buckets)
		}
		if chi > 120 {
			t.Errorf("%s: chi-square %.0f over %v", name, chi, count)
		}
	}
}
