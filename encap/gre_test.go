package encap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"weft/packet"
)

func TestGREOfScapy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]GRE{
		"gre4-frame": {Protocol: packet.TypeTEB, HasKey: true, Key: 0xfedcba},
		"gre4-ip4":   {Protocol: packet.TypeIPv4, HasKey: true, Key: 0xfedcba},
		"gre4-ip6":   {Protocol: packet.TypeIPv6, HasKey: true, Key: 0xfedcba},
		"gre4-key32": {Protocol: packet.TypeIPv4, HasKey: true, Key: 0xfffefdfc},
		"gre4-bare":  {Protocol: packet.TypeIPv4},
		"gre4-all": {
			Protocol: packet.TypeIPv4, HasChecksum: true, Checksum: 0x36d6,
			HasKey: true, Key: 0x111111, HasSequence: true, Sequence: 7,
		},
	} {
		b := header(t, name)
		h, rest, err := ParseGRE(b)
		if err != nil || h != want {
			t.Errorf("%s: %+v, %v, want %+v", name, h, err, want)
		}
		if wire := append(h.Append(nil), rest...); !bytes.Equal(wire, b) {
			t.Errorf("%s: Append gives\n%x, want\n%x", name, wire, b)
		}
	}
}

func TestGRERefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wire string
		want       error
	}{
		{"nothing", "", packet.ErrShort},
		{"three bytes", "000008", packet.ErrShort},
		{"version 1", "20010800 00000001", packet.ErrUnsupported},
		{"version 7", "20070800 00000001", packet.ErrUnsupported},
		{"routing", "40000800 00000000", packet.ErrUnsupported},
		{"strict source route", "08000800", packet.ErrUnsupported},
		{"recursion", "04000800", packet.ErrUnsupported},
		{"protocol ARP", "20000806 00000001", packet.ErrUnsupported},
		{"protocol WCCP", "2000883e 00000001", packet.ErrUnsupported},
		{"no key", "20000800 000000", packet.ErrShort},
		{"no sequence number", "30000800 00000001 000000", packet.ErrShort},
		{"no checksum", "80000800 0000", packet.ErrShort},
		{"wrong checksum", "80000800 77fe0000", packet.ErrChecksum},
	} {
		if h, _, err := ParseGRE(unhex(t, c.wire)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.name, h, err, c.want)
		}
	}
	if _, _, err := ParseGRE(unhex(t, "80000800 77ff0000")); err != nil {
		t.Errorf("the right checksum: %v", err)
	}
}

// Every bit of a packet with a checksum counts.
func TestGREChecksum(t *testing.T) {
	t.Parallel()
	good := header(t, "gre4-all")
	for bit := range len(good) * 8 {
		b := bytes.Clone(good)
		b[bit/8] ^= 0x80 >> (bit % 8)
		if h, _, err := ParseGRE(b); err == nil && h.HasChecksum {
			t.Errorf("bit %d changes nothing", bit)
		}
	}
}

// Reserved bits do not count (RFC 2784 section 2.3), nor does Reserved1.
func TestGREIgnoresReserved(t *testing.T) {
	t.Parallel()
	b := unhex(t, "a3f80800 00001234 00000007")
	binary.BigEndian.PutUint16(b[4:], packet.Checksum(b))
	h, _, err := ParseGRE(b)
	if err != nil || h.Key != 7 || !h.HasKey || h.HasSequence {
		t.Errorf("got %+v, %v", h, err)
	}
}

func FuzzGRE(f *testing.F) {
	for _, name := range []string{"gre4-frame", "gre4-ip6", "gre4-bare", "gre4-all"} {
		f.Add(header(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ParseGRE(b)
		if err != nil {
			return
		}
		wire := h.Append(nil)
		if h.HasChecksum { // reserved bits were in it
			binary.BigEndian.PutUint16(wire[GRELen:], 0)
			h.Checksum = packet.Checksum(append(bytes.Clone(wire), rest...))
			wire = h.Append(nil)
		}
		again, behind, err := ParseGRE(append(wire, rest...))
		if err != nil || again != h || !bytes.Equal(behind, rest) || len(b) != h.Len()+len(rest) {
			t.Fatalf("read again: %+v, %x, %v, first %+v, %x", again, behind, err, h, rest)
		}
	})
}
