package trace

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/encap"
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

// names are those of the layers, deeper ones after a dot each.
func names(layers []Layer) string {
	var all []string
	for _, l := range layers {
		all = append(all, strings.Repeat(".", l.Depth)+l.Name)
	}
	return strings.Join(all, " ")
}

// ethernet is a frame of e with any payload.
func ethernet(e packet.Ends, t packet.EtherType, payload ...byte) []byte {
	return append(packet.Ethernet{Dst: e.DstMAC, Src: e.SrcMAC, Type: t}.Append(nil), payload...)
}

// with is a copy of b with some bytes replaced.
func with(b []byte, at int, values ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], values)
	return b
}

func TestDecodeLayers(t *testing.T) {
	t.Parallel()
	inner := ends6.UDP(1, 2, []byte("x"))
	vxlan := func(vni []byte, frame []byte) []byte {
		return ends4.UDP(50000, 4789, slices.Concat(vni, frame))
	}
	good := []byte{8, 0, 0, 0, 0, 0, 7, 0}
	tunnel := vxlan(good, inner)
	bpdu := ethernet(ends4, 38, 0x42, 0x42, 3)
	tagged := func(t packet.EtherType, frame []byte) []byte {
		eth, rest, _ := packet.ParseEthernet(frame)
		return append(packet.VLAN{ID: 5, Type: eth.Type}.Append(ethernet(ends4, t)), rest...)
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"nothing", nil, "Ethernet"},
		{"empty frame", ethernet(ends4, packet.TypeIPv4), "Ethernet IPv4"},
		{"unknown type", ethernet(ends4, 0x88cc, 1, 2), "Ethernet data"},
		{"802.3", bpdu, "Ethernet data"},
		{"UDP", inner, "Ethernet IPv6 UDP data"},
		{"UDP without data", ends4.UDP(1, 2, nil), "Ethernet IPv4 UDP"},
		{"padded", append(ends4.UDP(1, 2, nil), make([]byte, 18)...), "Ethernet IPv4 UDP padding"},
		{"padded ARP", append(packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst), 0, 0), "Ethernet ARP padding"},
		{"another protocol", ends4.IP(89, []byte{2, 1}), "Ethernet IPv4 data"},
		{"tunnel", tunnel, "Ethernet IPv4 UDP VXLAN .Ethernet .IPv6 .UDP .data"},
		{"tunnel with padding inside", vxlan(good, append(inner[:len(inner):len(inner)], 0)), "Ethernet IPv4 UDP VXLAN .Ethernet .IPv6 .UDP .data .padding"},
		{"tunnel in a tunnel", vxlan(good, tunnel), "Ethernet IPv4 UDP VXLAN .Ethernet .IPv4 .UDP .VXLAN ..Ethernet ..IPv6 ..UDP ..data"},
		{"to another port", ends4.UDP(4789, 4788, good), "Ethernet IPv4 UDP data"},
		{"no VNI", vxlan(make([]byte, 8), inner), "Ethernet IPv4 UDP VXLAN"},
		{"header cut off", vxlan(good[:5], nil), "Ethernet IPv4 UDP VXLAN"},
		{"nothing inside", vxlan(good, nil), "Ethernet IPv4 UDP VXLAN .Ethernet"},
		{"tag", tagged(packet.TypeVLAN, inner), "Ethernet VLAN IPv6 UDP data"},
		{"two tags", tagged(packet.TypeQinQ, tagged(packet.TypeVLAN, inner)), "Ethernet VLAN VLAN IPv6 UDP data"},
		{"tag cut off", ethernet(ends4, packet.TypeVLAN, 0, 5), "Ethernet VLAN"},
		{"broken ARP", ethernet(ends4, packet.TypeARP, make([]byte, 28)...), "Ethernet ARP"},
		{"broken TCP", ends4.IP(packet.ProtoTCP, []byte{1}), "Ethernet IPv4 TCP"},
		{"broken UDP", ends4.IP(packet.ProtoUDP, make([]byte, 8)), "Ethernet IPv4 UDP"},
		{"broken ICMP", ends4.IP(packet.ProtoICMP, []byte{8}), "Ethernet IPv4 ICMP"},
		{"broken ICMPv6", ends6.IP(packet.ProtoICMPv6, []byte{128}), "Ethernet IPv6 ICMPv6"},
		{"broken extension", ends6.IP(packet.ProtoHopByHop, []byte{17}), "Ethernet IPv6 IPv6 extensions"},
		{"nothing follows", ends6.IP(packet.ProtoNone, nil), "Ethernet IPv6"},
		{"error without a quote", ends4.IP(packet.ProtoICMP, make([]byte, 8)), "Ethernet IPv4 ICMP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := names(Decode(c.frame, 4789, 4790)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestDecodeProblems(t *testing.T) {
	t.Parallel()
	udp4, udp6 := ends4.UDP(50000, 53, []byte("query")), ends6.UDP(50000, 53, []byte("query"))
	ns := packet.NSFrame(ends6.SrcMAC, ends6.Src, ends6.Dst)
	const l3, l4v4, l4v6 = packet.EthernetLen, packet.EthernetLen + packet.IPv4MinLen, packet.EthernetLen + packet.IPv6Len
	for _, c := range []struct {
		name  string
		frame []byte
		layer string
		want  string // part of the problem; empty: none
	}{
		{"good v4", udp4, UDP, ""},
		{"good v6", udp6, UDP, ""},
		{"frame cut off", udp4[:10], Ethernet, "parse ethernet: header cut off: 10 of 14 bytes"},
		{"IPv4 checksum", with(udp4, l3+8, 9), IPv4, "parse ipv4: wrong checksum"},
		{"IPv4 cut off", udp4[:len(udp4)-1], IPv4, "payload cut off: 32 of 33"},
		{"IPv6 cut off", udp6[:len(udp6)-1], IPv6, "payload cut off: 12 of 13"},
		{"IPv6 version", with(udp6, l3, 0x40), IPv6, "version 4"},
		{"UDP checksum v4", with(udp4, l4v4+9, 'x'), UDP, "wrong checksum 0x"},
		{"UDP checksum v6", with(udp6, l4v6+9, 'x'), UDP, "wrong checksum 0x"},
		{"UDP length", with(udp4, l4v4+4, 0xff), UDP, "payload cut off: 13 of 65293"},
		{"TCP checksum", with(ends4.TCP(packet.TCP{}, nil), l4v4, 1), TCP, "wrong checksum"},
		{"ICMP checksum", with(ends4.EchoRequest(1, 1, nil), l4v4+4, 1), ICMP, "wrong checksum"},
		{"ICMPv6 checksum", with(ends6.EchoRequest(1, 1, nil), l4v6+4, 1), ICMPv6, "wrong checksum"},
		{"reserved VXLAN bits", ends4.UDP(1, 4789, []byte{0x0c, 0, 0, 3, 0, 0, 1, 0}), VXLAN, "reserved VXLAN bits are set"},
		{"solicitation", ns, ICMPv6, ""},
		{"solicitation with a code", with(ns, l4v6+1, 7), ICMPv6, "code 7"},
		{"solicitation with a bad option", with(ns, l4v6+25, 0), ICMPv6, "option: malformed header: length 0"},
		{"solicitation too short", ends6.IP(packet.ProtoICMPv6, ns[l4v6:l4v6+20]), ICMPv6, "header cut off: 20 of 24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			layers := Decode(c.frame, 4789)
			l, ok := Find(layers, c.layer, 0)
			if !ok {
				t.Fatalf("no layer %s in %s", c.layer, names(layers))
			}
			if c.want == "" && l.Problem != "" || !strings.Contains(l.Problem, c.want) {
				t.Errorf("problem %q, want %q", l.Problem, c.want)
			}
		})
	}
}

// A frame cut to what a capture keeps has one problem, at the IP header: the
// checksum behind it cannot be judged.
func TestDecodeSnapped(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"v4": ends4.TCP(packet.TCP{Flags: packet.ACK}, make([]byte, 100)),
		"v6": ends6.TCP(packet.TCP{Flags: packet.ACK}, make([]byte, 100)),
	} {
		layers := Decode(frame[:100])
		tcp, ok := Find(layers, TCP, 0)
		if !ok || tcp.Problem != "" || tcp.Fields[6].Note != "" {
			t.Errorf("%s: %+v", name, tcp)
		}
		if layers[1].Problem == "" {
			t.Errorf("%s: IP has no problem", name)
		}
	}
}

// What an ICMP error quotes is cut off by design.
func TestDecodeQuote(t *testing.T) {
	t.Parallel()
	about := ends4.UDP(1, 4789, make([]byte, 1400))[packet.EthernetLen:]
	frame, err := packet.FragNeeded(ends4.Back(), 1400, about)
	if err != nil {
		t.Fatal(err)
	}
	layers := Decode(frame)
	if got := names(layers); got != "Ethernet IPv4 ICMP .IPv4 .UDP .data" {
		t.Errorf("layers %s", got)
	}
	for _, l := range layers {
		if l.Problem != "" {
			t.Errorf("%s: %s", l.Name, l.Problem)
		}
	}
	if quoted, _ := Find(layers, IPv4, 1); quoted.Value("source") != "10.0.0.1" || quoted.Value("length") != "1428" {
		t.Errorf("quotes %+v", quoted)
	}
}

func TestDecodeFragments(t *testing.T) {
	t.Parallel()
	frame := ends4.UDP(1, 2, make([]byte, 32))
	eth, b, _ := packet.ParseEthernet(frame)
	h, payload, _ := packet.ParseIPv4(b)
	h.ID, h.TotalLen, h.Flags = 9, 36, packet.MoreFragments
	first := Decode(append(h.Append(eth.Append(nil)), payload[:16]...))
	if got := names(first); got != "Ethernet IPv4 UDP data" {
		t.Errorf("first: %s", got)
	}
	for _, l := range first {
		if l.Problem != "" {
			t.Errorf("first, %s: %s", l.Name, l.Problem)
		}
	}
	if !strings.HasSuffix(first[1].Summary, "fragment at 0 of 0x9, more follow") {
		t.Errorf("first: %s", first[1].Summary)
	}
	h.FragOffset, h.Flags, h.TotalLen = 16, 0, 44
	later := Decode(append(h.Append(eth.Append(nil)), payload[16:]...))
	if got := names(later); got != "Ethernet IPv4 data" || !strings.HasSuffix(later[1].Summary, "fragment at 16 of 0x9, the last") {
		t.Errorf("later: %s, %s", got, later[1].Summary)
	}
}

// include/linux/skbuff.h: with CHECKSUM_PARTIAL the field holds the sum of the pseudo
// header, and the device adds the rest.
func TestDecodeChecksumLeftToTheDevice(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]packet.Ends{"v4": ends4, "v6": ends6} {
		frame := e.UDP(50000, 53, []byte("query"))
		at := len(frame) - len("query") - 2
		partial := ^packet.PseudoHeader(e.Src, e.Dst, packet.ProtoUDP, 13).Checksum()
		binary.BigEndian.PutUint16(frame[at:], partial)
		udp, _ := Find(Decode(frame), UDP, 0)
		if f := udp.Fields[3]; f.Note != "left to the device" || udp.Problem != "" {
			t.Errorf("%s: %+v, %s", name, f, udp.Problem)
		}
	}
	none := packet.UDP{SrcPort: 1, DstPort: 2, Length: packet.UDPLen}.Append(nil)
	udp, _ := Find(Decode(ends4.IP(packet.ProtoUDP, none)), UDP, 0)
	if f := udp.Fields[3]; f.Note != "none" || udp.Problem != "" {
		t.Errorf("none: %+v, %s", f, udp.Problem)
	}
}

func TestDecodeIsBounded(t *testing.T) {
	t.Parallel()
	frame := ends4.UDP(1, 2, nil)
	for range 100 {
		frame = ends4.UDP(1, 4789, append(encap.VXLAN{VNI: 1}.Append(nil), frame...))
	}
	layers := Decode(frame, 4789)
	if len(layers) > maxLayers+3 || layers[len(layers)-1].Name != Data {
		t.Errorf("%d layers, the last is %s", len(layers), layers[len(layers)-1].Name)
	}
	tags := packet.Ethernet{Type: packet.TypeVLAN}.Append(nil)
	for range 1000 {
		tags = packet.VLAN{Type: packet.TypeVLAN}.Append(tags)
	}
	if layers := Decode(tags); len(layers) > maxLayers+1 {
		t.Errorf("%d layers of tags", len(layers))
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	layers := Decode(kernelFrames(t)["vxlan v4-echo4"], kernelPorts...)
	for n, want := range []string{"192.0.2.10", "10.4.0.10"} {
		if l, ok := Find(layers, IPv4, n); !ok || l.Value("source") != want {
			t.Errorf("IPv4 %d: %v, source %s, want %s", n, ok, l.Value("source"), want)
		}
	}
	if l, ok := Find(layers, IPv4, 2); ok {
		t.Errorf("a third IPv4 layer: %+v", l)
	}
	if v := layers[0].Value("colour"); v != "" {
		t.Errorf("Ethernet has colour %q", v)
	}
}

func TestTCPOptions(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]string{
		"":                     "",
		"\x00\x02\x04":         "", // end of options
		"\x01\x01":             "",
		"\x02\x04\x05\x50\x00": "mss 1360",
		"\x01\x05\x12" + strings.Repeat("\x00", 16): "sack of 2 ranges",
		"\xfe\x04ab":   "option 254",
		"\x02\x03\x05": "option 2", // an MSS of one byte
		"\x04\x02\x03\x03\x07\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02": "sack permitted, window scale 7, timestamp 1 echo 2",
		"\x04\x02\x02":     "sack permitted, malformed",
		"\x04\x00":         "malformed",
		"\x04\x02\x08\xff": "sack permitted, malformed",
	} {
		if got := tcpOptions([]byte(wire)); got != want {
			t.Errorf("%x: %q, want %q", wire, got, want)
		}
	}
}
