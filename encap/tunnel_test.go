package encap

import (
	"bytes"
	"errors"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

const goldenVNI overlay.VNI = 0xfedcba

// goldenTunnels is what scapy put into its packets.
var goldenTunnels = []struct {
	name string
	Outer
	inner int
}{
	{"geneve4-frame", Outer{Encapsulation: overlay.EncapGeneve, SrcPort: 50000, DstPort: 6081, VNI: goldenVNI, Inner: packet.TypeTEB}, 58},
	{"geneve6-frame", Outer{Encapsulation: overlay.EncapGeneve, SrcPort: 50000, DstPort: 6081, VNI: goldenVNI, Inner: packet.TypeTEB}, 78},
	{"geneve4-ip4", Outer{Encapsulation: overlay.EncapGeneve, SrcPort: 50000, DstPort: 6081, VNI: goldenVNI, Inner: packet.TypeIPv4}, 44},
	{"geneve4-ip6", Outer{Encapsulation: overlay.EncapGeneve, SrcPort: 50000, DstPort: 6081, VNI: goldenVNI, Inner: packet.TypeIPv6}, 64},
	{"gre4-frame", Outer{Encapsulation: overlay.EncapGRE, VNI: goldenVNI, Inner: packet.TypeTEB}, 58},
	{"gre6-frame", Outer{Encapsulation: overlay.EncapGRE, VNI: goldenVNI, Inner: packet.TypeTEB}, 78},
	{"gre4-ip4", Outer{Encapsulation: overlay.EncapGRE, VNI: goldenVNI, Inner: packet.TypeIPv4}, 44},
	{"gre4-ip6", Outer{Encapsulation: overlay.EncapGRE, VNI: goldenVNI, Inner: packet.TypeIPv6}, 64},
	{"gre4-all", Outer{
		Encapsulation: overlay.EncapGRE, VNI: 0x111111, Inner: packet.TypeIPv4, Checksum: true, HasSequence: true, Sequence: 7,
	}, 44},
	{"gre6-ip6-limit", Outer{Encapsulation: overlay.EncapGRE, VNI: goldenVNI, Inner: packet.TypeIPv6, HasLimit: true, Limit: 4}, 64},
	{"ipip6-limit", Outer{Encapsulation: overlay.EncapIPIP, Inner: packet.TypeIPv4, HasLimit: true, Limit: 4}, 44},
	{"sit6-limit", Outer{Encapsulation: overlay.EncapSIT, Inner: packet.TypeIPv6, HasLimit: true, Limit: 4}, 64},
	{"gre4-key32", Outer{Encapsulation: overlay.EncapGRE, VNI: 0xfffefdfc, Inner: packet.TypeIPv4}, 44},
	{"ipip4", Outer{Encapsulation: overlay.EncapIPIP, Inner: packet.TypeIPv4}, 44},
	{"ipip6", Outer{Encapsulation: overlay.EncapIPIP, Inner: packet.TypeIPv4}, 44},
	{"sit4", Outer{Encapsulation: overlay.EncapSIT, Inner: packet.TypeIPv6}, 64},
	{"sit6", Outer{Encapsulation: overlay.EncapSIT, Inner: packet.TypeIPv6}, 64},
}

// Our packets are scapy's, byte for byte, and theirs are read as what they are.
func TestTunnelsAreScapys(t *testing.T) {
	t.Parallel()
	for _, c := range goldenTunnels {
		t.Run(c.name, func(t *testing.T) {
			b, want := tunnel(t, c.name), c.Outer
			want.Src, want.Dst = vtepA4, vtepB4
			if b[0]>>4 == 6 {
				want.Src, want.Dst = vtepA6, vtepB6
			}
			got, inner, err := Unwrap(c.Encapsulation, b, 6081)
			if err != nil || got != want || len(inner) != c.inner {
				t.Fatalf("got %+v, %d bytes, %v, want %+v, %d", got, len(inner), err, want, c.inner)
			}
			if again := Wrap(got, inner); !bytes.Equal(again, b) {
				t.Errorf("Wrap gives\n%x, want\n%x", again, b)
			}
		})
	}
}

// Options of Geneve's are taken, though nobody here reads them.
func TestUnwrapTakesOptions(t *testing.T) {
	t.Parallel()
	o, inner, err := Unwrap(overlay.EncapGeneve, tunnel(t, "geneve4-option"), 6081)
	if err != nil || o.VNI != goldenVNI || len(inner) != 58 {
		t.Errorf("VNI %d, %d bytes, %v", o.VNI, len(inner), err)
	}
}

// A network's packets have a key; of those of tunnels to strangers, mode and payload belong
// together.
func TestUnwrapTunnel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		m    overlay.TunnelMode
		want error
	}{
		{"gre4-bare", overlay.TunnelGRE, nil},
		{"gre4-all", overlay.TunnelGRE, nil},
		{"gre4-frame", overlay.TunnelGRETAP, nil},
		{"gre4-frame", overlay.TunnelGRE, ErrNotTunnel},
		{"gre4-bare", overlay.TunnelGRETAP, ErrNotTunnel},
		{"ipip4", overlay.TunnelIPIP, nil},
		{"sit6-limit", overlay.TunnelSIT, nil},
		{"geneve4-frame", overlay.TunnelGeneve, nil},
		{"ipip4", "l2tp", ErrUnknown},
	} {
		b := tunnel(t, c.name)
		o, inner, err := UnwrapTunnel(c.m, b, 6081)
		if !errors.Is(err, c.want) || (inner != nil) != (err == nil) {
			t.Errorf("%s as %s: %+v, %v, want %v", c.name, c.m, o, err, c.want)
		}
		if err == nil && !bytes.Equal(Wrap(o, inner), b) {
			t.Errorf("%s: Wrap gives\n%x, want\n%x", c.name, Wrap(o, inner), b)
		}
	}
}

func TestUnwrapTunnelsRefuses(t *testing.T) {
	t.Parallel()
	edit := func(name string, change func(b []byte)) []byte {
		b := bytes.Clone(tunnel(t, name))
		change(b)
		return b
	}
	for _, c := range []struct {
		name string
		e    overlay.Encapsulation
		b    []byte
		want error
	}{
		{"a critical option", overlay.EncapGeneve, tunnel(t, "geneve4-critical"), ErrCritical},
		{"another port", overlay.EncapGeneve, edit("geneve4-frame", func(b []byte) { b[23]++ }), ErrNotTunnel},
		{"GRE without a key", overlay.EncapGRE, tunnel(t, "gre4-bare"), ErrNoVNI},
		{"a wrong checksum", overlay.EncapGRE, edit("gre4-all", func(b []byte) { b[24]++ }), packet.ErrChecksum},
		{"Geneve is no GRE", overlay.EncapGRE, tunnel(t, "geneve4-frame"), ErrNotTunnel},
		{"sit is no ipip", overlay.EncapIPIP, tunnel(t, "sit4"), ErrNotTunnel},
		{"ipip is no sit", overlay.EncapSIT, tunnel(t, "ipip6-limit"), ErrNotTunnel},
		{"IPv6 said to be IPv4", overlay.EncapGRE, edit("gre4-ip6", func(b []byte) { b[22], b[23] = 0x08, 0x00 }), packet.ErrMalformed},
		{"IPv4 said to be IPv6", overlay.EncapSIT, edit("sit6", func(b []byte) { b[40] = 0x45 }), packet.ErrMalformed},
		{"a long destination option", overlay.EncapSIT, edit("sit6-limit", func(b []byte) { b[41] = 1 }), ErrNotTunnel},
		{"another destination option", overlay.EncapSIT, edit("sit6-limit", func(b []byte) { b[42] = 0xc9 }), ErrNotTunnel},
		{"no encapsulation", overlay.EncapNone, tunnel(t, "ipip4"), ErrUnknown},
	} {
		_, inner, err := Unwrap(c.e, c.b, 6081)
		if !errors.Is(err, c.want) || inner != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, name := range []string{"v4-arp", "v4-echo6", "v6-echo4", "gbp"} {
		f.Add(underlay(f, name), uint16(4789))
		f.Add(underlay(f, name), uint16(4790))
	}
	for _, name := range []string{"geneve4-option", "geneve4-critical", "gre6-frame", "gre6-ip6-limit", "gre4-all", "ipip6-limit", "sit4"} {
		f.Add(tunnel(f, name), uint16(6081))
	}
	for _, c := range kernelPackets {
		f.Add(testenv.Frames(f, "testdata/kernel.txt")[c.name][packet.EthernetLen:], c.DstPort)
	}
	f.Fuzz(func(t *testing.T, b []byte, port uint16) {
		for _, e := range []overlay.Encapsulation{
			overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT, overlay.EncapUDP,
		} {
			o, inner, err := Unwrap(e, b, port)
			if err != nil || o.SrcPort == 0 && o.protocol() == packet.ProtoUDP {
				continue
			}
			again, rest, err := Unwrap(e, Wrap(o, inner), port)
			if err != nil || again != o || !bytes.Equal(rest, inner) {
				t.Fatalf("wrapped again: %+v, %x, %v, first %+v, %x", again, rest, err, o, inner)
			}
		}
	})
}

// Not parallel: testing.AllocsPerRun counts the whole process's allocations.
func TestCodecsDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 512)
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	vxlan, geneve, gre, limit := vxlan(t, "v4-echo4"), header(t, "geneve4-option"), header(t, "gre4-all"), tunnel(t, "sit6-limit")[packet.IPv6Len:]
	v4, v6 := ends4.UDP(1, 2, nil), ends6.UDP(1, 2, nil)
	codecs := map[string]func(){
		"vxlan":          func() { h, _, err := ParseVXLAN(vxlan); must(err); h.Append(buf) },
		"geneve":         func() { h, _, err := ParseGeneve(geneve); must(err); h.Append(buf) },
		"gre":            func() { h, _, err := ParseGRE(gre); must(err); h.Append(buf) },
		"tunnel limit":   func() { h, _, err := ParseTunnelLimit(limit); must(err); h.Append(buf) },
		"source port v4": func() { SourcePort(v4) },
		"source port v6": func() { SourcePort(v6) },
	}
	for _, c := range goldenTunnels {
		b := tunnel(t, c.name)
		codecs["unwrap "+c.name] = func() { _, _, err := Unwrap(c.Encapsulation, b, 6081); must(err) }
	}
	kernels := testenv.Frames(t, "testdata/kernel.txt")
	for _, c := range kernelPackets {
		b := kernels[c.name][packet.EthernetLen:]
		codecs["unwrap the kernel's "+c.name] = func() { _, _, err := UnwrapTunnel(c.mode, b, c.DstPort); must(err) }
	}
	for name, run := range codecs {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Not parallel, either. Wrap allocates its result alone.
func TestWrapDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 512)
	for _, e := range []overlay.Encapsulation{
		overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT, overlay.EncapUDP,
	} {
		for _, o := range []Outer{{Src: vtepA4, Dst: vtepB4}, {Src: vtepA6, Dst: vtepB6, HasLimit: true, Checksum: true, HasSequence: true}} {
			o.Encapsulation, o.VNI = e, 1
			frame := ends4.UDP(1, 2, nil)
			if !FramesInside(e, overlay.Bridged) {
				frame = frame[packet.EthernetLen:]
			}
			if n := testing.AllocsPerRun(100, func() { Append(buf, o, frame) }); n != 0 {
				t.Errorf("%s: Append allocates %v times", e, n)
			}
			if n := testing.AllocsPerRun(100, func() { Wrap(o, frame) }); n > 1 {
				t.Errorf("%s: Wrap allocates %v times", e, n)
			}
		}
	}
}
