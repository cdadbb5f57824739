package encap

import (
	"bytes"
	"errors"
	"testing"

	"weft/overlay"
	"weft/packet"
)

func TestGeneveOfScapy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		protocol packet.EtherType
		options  string
	}{
		"geneve4-frame":  {packet.TypeTEB, ""},
		"geneve6-frame":  {packet.TypeTEB, ""},
		"geneve4-ip4":    {packet.TypeIPv4, ""},
		"geneve4-ip6":    {packet.TypeIPv6, ""},
		"geneve4-option": {packet.TypeTEB, "01020501 01020304"},
	} {
		b := header(t, name)
		h, rest, err := ParseGeneve(b)
		if err != nil || h.Protocol != want.protocol || h.VNI != goldenVNI || !bytes.Equal(h.Options.Append(nil), unhex(t, want.options)) {
			t.Errorf("%s: %+v, %v, want %+v", name, h, err, want)
		}
		if wire := append(h.Append(nil), rest...); !bytes.Equal(wire, b) {
			t.Errorf("%s: Append gives\n%x, want\n%x", name, wire, b)
		}
	}
}

func TestGeneveRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wire string
		want       error
		kept       bool // for those who explain packets
	}{
		{"nothing", "", packet.ErrShort, false},
		{"seven bytes", "00006558 000001", packet.ErrShort, false},
		{"version 1", "40006558 00000100", packet.ErrUnsupported, false},
		{"version 3", "c0006558 00000100", packet.ErrUnsupported, false},
		{"VNI 0", "00006558 00000000", ErrNoVNI, false},
		{"protocol ARP", "00000806 00000100", packet.ErrUnsupported, false},
		{"options cut off", "01006558 00000100 010205", packet.ErrShort, false},
		{"an option beyond the options", "01006558 00000100 01020501 01020304", packet.ErrShort, false},
		{"the last option beyond the options", "02006558 00000100 01020500 01020501", packet.ErrShort, false},
		{"control", "00806558 00000100", ErrControl, true},
		{"C bit alone", "00406558 00000100", ErrCritical, true},
		{"critical option", "01406558 00000100 01028500", ErrCritical, true},
		{"critical option without the C bit", "02006558 00000100 01020500 01028500", ErrCritical, true},
	} {
		h, rest, err := ParseGeneve(unhex(t, c.wire))
		if !errors.Is(err, c.want) || (rest != nil) != c.kept || h.VNI.Valid() != c.kept {
			t.Errorf("%s: %+v, %x, %v, want %v", c.name, h, rest, err, c.want)
		}
	}
}

// Reserved bits do not count (RFC 8926 section 3.4): what is to come may set them.
func TestGeneveIgnoresReserved(t *testing.T) {
	t.Parallel()
	h, _, err := ParseGeneve(unhex(t, "003f6558 000001ff"))
	if want := (Geneve{Protocol: packet.TypeTEB, VNI: 1}); err != nil || h != want {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestGeneveInvalidVNIReachesNoNetwork(t *testing.T) {
	t.Parallel()
	for _, vni := range []overlay.VNI{0, overlay.MaxVNI + 1, 1<<24 + 5, 1<<32 - 1} {
		if _, _, err := ParseGeneve(Geneve{Protocol: packet.TypeTEB, VNI: vni}.Append(nil)); !errors.Is(err, ErrNoVNI) {
			t.Errorf("VNI %d: %v", vni, err)
		}
	}
}

// All 63 words of options come through, and no more are made.
func TestGeneveLongestOptions(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{1, 2, 5, 0}, MaxGeneveOptions/4)
	o, err := MakeGeneveOptions(long)
	if err != nil {
		t.Fatal(err)
	}
	h, rest, err := ParseGeneve(Geneve{Protocol: packet.TypeTEB, VNI: 7, Options: o}.Append(nil))
	if err != nil || h.Options != o || h.Len() != GeneveLen+MaxGeneveOptions || len(rest) != 0 {
		t.Errorf("%d bytes, %v", h.Len(), err)
	}
	if _, err := MakeGeneveOptions(append(long, 1, 2, 5, 0)); err == nil {
		t.Error("64 words fit")
	}
	if _, err := MakeGeneveOptions(long[:3]); !errors.Is(err, packet.ErrShort) {
		t.Errorf("half an option: %v", err)
	}
}

// What must be understood is said to be so.
func TestGeneveCriticalOptionsAreMarked(t *testing.T) {
	t.Parallel()
	o, err := MakeGeneveOptions(unhex(t, "01028500"))
	if err != nil {
		t.Fatal(err)
	}
	b := Geneve{Protocol: packet.TypeTEB, VNI: 7, Options: o}.Append(nil)
	if want := unhex(t, "01406558 00000700 01028500"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
}

func FuzzGeneve(f *testing.F) {
	for _, name := range []string{"geneve4-frame", "geneve4-ip6", "geneve4-option", "geneve4-critical"} {
		f.Add(header(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ParseGeneve(b)
		if err != nil {
			return
		}
		again, behind, err := ParseGeneve(append(h.Append(nil), rest...))
		if err != nil || again != h || !bytes.Equal(behind, rest) || len(b) != h.Len()+len(rest) {
			t.Fatalf("read again: %+v, %x, %v, first %+v, %x", again, behind, err, h, rest)
		}
	})
}
