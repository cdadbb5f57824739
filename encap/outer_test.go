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

func TestUnwrapTheKernels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Outer{ // as tshark 4.0 reads them
		"v4-arp":   {Src: vtepA4, Dst: vtepB4, SrcPort: 53344, DstPort: 4789, VNI: 16702650},
		"v4-echo4": {Src: vtepA4, Dst: vtepB4, SrcPort: 55788, DstPort: 4789, VNI: 16702650},
		"v6-echo6": {Src: vtepA6, Dst: vtepB6, SrcPort: 50457, DstPort: 4790, VNI: 7001},
	} {
		t.Run(name, func(t *testing.T) {
			got, frame, err := Unwrap(underlay(t, name), want.DstPort)
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
		o, frame, err := Unwrap(b, 4790)
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
		want := Outer{
			Src: vtepA4, Dst: vtepB4,
			SrcPort: rapid.Uint16Min(1).Draw(t, "source port"),
			DstPort: rapid.Uint16().Draw(t, "port"),
			VNI:     overlay.VNI(rapid.Uint32Range(1, uint32(overlay.MaxVNI)).Draw(t, "VNI")),
		}
		if rapid.Bool().Draw(t, "v6") {
			want.Src, want.Dst = vtepA6, vtepB6
		}
		frame := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "frame")
		b := Wrap(want, frame)
		got, inner, err := Unwrap(append(b, 0, 0), want.DstPort) // with padding
		if err != nil || got != want || !bytes.Equal(inner, frame) {
			t.Fatalf("got %+v, %x, %v", got, inner, err)
		}
		overhead, err := Overhead(overlay.EncapVXLAN, overlay.FamilyOf(want.Src))
		if err != nil || len(b) != len(frame)-packet.EthernetLen+overhead {
			t.Fatalf("%d bytes around %d: overhead %d, %v", len(b), len(frame), overhead, err)
		}
	})
}

func TestWrapChoosesSourcePort(t *testing.T) {
	t.Parallel()
	frame := ends4.UDP(1000, 53, nil)
	o, _, err := Unwrap(Wrap(Outer{Src: vtepA4, Dst: vtepB4, DstPort: 4789, VNI: 1}, frame), 4789)
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
			o, frame, err := Unwrap(c.b, 4789)
			if !errors.Is(err, c.want) || o.Src != c.src || frame != nil {
				t.Errorf("got %+v, %x, %v, want %v and source %v", o, frame, err, c.want, c.src)
			}
		})
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, name := range []string{"v4-arp", "v4-echo6", "v6-echo4", "gbp"} {
		f.Add(underlay(f, name), uint16(4789))
		f.Add(underlay(f, name), uint16(4790))
	}
	f.Fuzz(func(t *testing.T, b []byte, port uint16) {
		o, frame, err := Unwrap(b, port)
		if err != nil || o.SrcPort == 0 {
			return
		}
		again, inner, err := Unwrap(Wrap(o, frame), port)
		if err != nil || again != o || !bytes.Equal(inner, frame) {
			t.Fatalf("wrapped again: %+v, %x, %v, first %+v, %x", again, inner, err, o, frame)
		}
	})
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

// Not parallel: testing.AllocsPerRun counts the whole process's allocations.
func TestCodecsDoNotAllocate(t *testing.T) {
	header, ip := vxlan(t, "v4-echo4"), underlay(t, "v6-echo6")
	buf := make([]byte, 0, 64)
	v4, v6 := ends4.UDP(1, 2, nil), ends6.UDP(1, 2, nil)
	for name, run := range map[string]func(){
		"vxlan": func() {
			h, _, err := ParseVXLAN(header)
			if err != nil {
				t.Error(err)
			}
			h.Append(buf)
		},
		"unwrap": func() {
			if _, _, err := Unwrap(ip, 4790); err != nil {
				t.Error(err)
			}
		},
		"source port v4": func() { SourcePort(v4) },
		"source port v6": func() { SourcePort(v6) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
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
		if _, _, err := Unwrap(p, 4789); err != nil {
			b.Fatal(err)
		}
	}
}
