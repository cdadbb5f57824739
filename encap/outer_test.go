package encap

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"weft/overlay"
	"weft/packet"
)

var (
	vtepA4, vtepB4 = netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")
	vtepA6, vtepB6 = netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("2001:db8::11")
)

func vxlanOuter(src, dst netip.Addr, srcPort, dstPort uint16, vni overlay.VNI) Outer {
	return Outer{
		Encapsulation: overlay.EncapVXLAN, Inner: packet.TypeTEB,
		Src: src, Dst: dst, SrcPort: srcPort, DstPort: dstPort, VNI: vni,
	}
}

func TestUnwrapTheKernels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Outer{ // as tshark 4.0 reads them
		"v4-arp":   vxlanOuter(vtepA4, vtepB4, 53344, 4789, 16702650),
		"v4-echo4": vxlanOuter(vtepA4, vtepB4, 55788, 4789, 16702650),
		"v6-echo6": vxlanOuter(vtepA6, vtepB6, 50457, 4790, 7001),
	} {
		t.Run(name, func(t *testing.T) {
			got, frame, err := Unwrap(overlay.EncapVXLAN, underlay(t, name), want.DstPort)
			if err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
			if inner := vxlan(t, name)[VXLANLen:]; !bytes.Equal(frame, inner) {
				t.Errorf("frame %x, want %x", frame, inner)
			}
		})
	}
}

// Over IPv6 without a UDP checksum, as udp6zerocsumtx has it, our packet is the
// kernel's but for the flow label.
func TestWrapIsTheKernels(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v6-arp", "v6-echo4", "v6-echo6", "v6-full"} {
		b := underlay(t, name)
		o, frame, err := Unwrap(overlay.EncapVXLAN, b, 4790)
		if err != nil {
			t.Fatal(err)
		}
		got := Wrap(o, frame)
		copy(got[1:4], b[1:4])
		if !bytes.Equal(got, b) {
			t.Errorf("%s:\ngot  %x\nwant %x", name, got, b)
		}
	}
}

func TestWrapThenUnwrap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawOuter(t)
		kind := overlay.Routed
		if want.Inner == packet.TypeTEB {
			kind = overlay.Bridged
		}
		inner := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "inner")
		if want.Inner != packet.TypeTEB {
			ends := ends6
			if want.Inner == packet.TypeIPv4 {
				ends = ends4
			}
			inner = ends.UDP(1, 2, inner)[packet.EthernetLen:]
		}
		b := Wrap(want, inner)
		got, rest, err := Unwrap(want.Encapsulation, append(b, 0, 0), want.DstPort) // with padding
		if err != nil || got != want || !bytes.Equal(rest, inner) {
			t.Fatalf("got %+v, %x, %v, want %+v", got, rest, err, want)
		}
		overhead, err := Overhead(want.Encapsulation, kind, overlay.FamilyOf(want.Src))
		if want.Inner == packet.TypeTEB {
			overhead -= packet.EthernetLen
		}
		if err != nil || len(b) != len(inner)+overhead {
			t.Fatalf("%d bytes around %d: overhead %d, %v", len(b), len(inner), overhead, err)
		}
	})
}

// drawOuter draws what each encapsulation carries.
func drawOuter(t *rapid.T) Outer {
	o := Outer{Encapsulation: rapid.SampledFrom([]overlay.Encapsulation{
		overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT,
	}).Draw(t, "encapsulation"), Src: vtepA4, Dst: vtepB4, Inner: packet.TypeTEB}
	if rapid.Bool().Draw(t, "v6") {
		o.Src, o.Dst = vtepA6, vtepB6
	}
	if o.Encapsulation.HasVNI() {
		o.VNI = overlay.VNI(rapid.Uint32Range(1, uint32(overlay.MaxVNI)).Draw(t, "VNI"))
	}
	switch o.Encapsulation {
	case overlay.EncapVXLAN, overlay.EncapGeneve:
		o.SrcPort = rapid.Uint16Min(1).Draw(t, "source port")
		o.DstPort = rapid.Uint16().Draw(t, "port")
	case overlay.EncapGRE:
		o.Inner = rapid.SampledFrom([]packet.EtherType{packet.TypeTEB, packet.TypeIPv4, packet.TypeIPv6}).Draw(t, "inner")
	case overlay.EncapIPIP:
		o.Inner = packet.TypeIPv4
	case overlay.EncapSIT:
		o.Inner = packet.TypeIPv6
	}
	return o
}

func TestWrapChoosesSourcePort(t *testing.T) {
	t.Parallel()
	frame := ends4.UDP(1000, 53, nil)
	o, _, err := Unwrap(overlay.EncapVXLAN, Wrap(Outer{Src: vtepA4, Dst: vtepB4, DstPort: 4789, VNI: 1}, frame), 4789)
	if err != nil || o.SrcPort != SourcePort(frame) {
		t.Errorf("source port %d, %v, want %d", o.SrcPort, err, SourcePort(frame))
	}
}

func TestUnwrapRefuses(t *testing.T) {
	t.Parallel()
	outer := packet.Ends{Src: vtepA4, Dst: vtepB4}
	v6 := packet.Ends{Src: vtepA6, Dst: vtepB6}
	ip := func(frame []byte) []byte { return frame[packet.EthernetLen:] }
	good := Wrap(Outer{Src: vtepA4, Dst: vtepB4, DstPort: 4789, VNI: 1}, []byte("frame"))
	fragment, _ := fragments4(append(make([]byte, packet.EthernetLen), good...), 16)
	for _, c := range []struct {
		name string
		b    []byte
		want error
		src  netip.Addr // what was read until then
	}{
		{"nothing", nil, packet.ErrShort, netip.Addr{}},
		{"version 5", bytes.Repeat([]byte{0x55}, 60), packet.ErrMalformed, netip.Addr{}},
		{"TCP", ip(outer.TCP(packet.TCP{DstPort: 4789}, nil)), ErrNotTunnel, vtepA4},
		{"TCP over v6", ip(v6.TCP(packet.TCP{DstPort: 4789}, nil)), ErrNotTunnel, vtepA6},
		{"another port", ip(outer.UDP(1, 4790, good)), ErrNotTunnel, vtepA4},
		{"a fragment", ip(fragment), ErrNotTunnel, vtepA4},
		{"cut off", good[:30], packet.ErrCut, netip.Addr{}},
		{"v6 cut off", ip(v6.UDP(1, 4789, good))[:50], packet.ErrCut, netip.Addr{}},
		{"UDP cut off", ip(outer.IP(packet.ProtoUDP, []byte{1, 2})), packet.ErrShort, vtepA4},
		{"no VXLAN header", ip(outer.UDP(1, 4789, nil)), packet.ErrShort, vtepA4},
		{"group policy", ip(outer.UDP(1, 4789, unhex(t, "88000001 00000100"))), ErrGroupPolicy, vtepA4},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, frame, err := Unwrap(overlay.EncapVXLAN, c.b, 4789)
			if !errors.Is(err, c.want) || o.Src != c.src || frame != nil {
				t.Errorf("got %+v, %x, %v, want %v and source %v", o, frame, err, c.want, c.src)
			}
		})
	}
}

func FuzzSourcePort(f *testing.F) {
	for _, name := range []string{"v4-arp", "v4-echo6", "v6-echo4", "gbp"} {
		f.Add(vxlan(f, name)[VXLANLen:])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if p := SourcePort(frame); p < minSourcePort {
			t.Fatalf("port %d", p)
		}
	})
}

func BenchmarkSourcePort(b *testing.B) {
	frame := ends4.UDP(1, 2, nil)
	for b.Loop() {
		SourcePort(frame)
	}
}

func BenchmarkUnwrap(b *testing.B) {
	p := underlay(b, "v4-echo4")
	for b.Loop() {
		if _, _, err := Unwrap(overlay.EncapVXLAN, p, 4789); err != nil {
			b.Fatal(err)
		}
	}
}
