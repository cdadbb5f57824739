package encap

import (
	"bytes"
	"errors"
	"testing"

	"weft/packet"
)

func TestTunnelLimitOfScapy(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]packet.Protocol{
		"gre6-ip6-limit": packet.ProtoGRE, "ipip6-limit": packet.ProtoIPv4, "sit6-limit": packet.ProtoIPv6,
	} {
		b := tunnel(t, name)[packet.IPv6Len:]
		h, rest, err := ParseTunnelLimit(b)
		if want := (TunnelLimit{Next: next, HasLimit: true, Limit: 4}); err != nil || h != want {
			t.Errorf("%s: %+v, %v, want %+v", name, h, err, want)
		}
		if wire := append(h.Append(nil), rest...); !bytes.Equal(wire, b) {
			t.Errorf("%s: Append gives\n%x, want\n%x", name, wire, b)
		}
	}
}

func TestTunnelLimitRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wire string
		want       error
	}{
		{"nothing", "", packet.ErrShort},
		{"seven bytes", "29000401040101", packet.ErrShort},
		{"sixteen bytes", "29010401040101000000000000000000", packet.ErrUnsupported},
		{"home address", "2900c90400000000", packet.ErrUnsupported},
		{"two limits", "2900040104040104", packet.ErrUnsupported},
		{"a limit of two bytes", "2900040204040100", packet.ErrUnsupported},
		{"an option beyond the header", "2900040104010200", packet.ErrMalformed},
		{"half an option", "2900040104000001", packet.ErrMalformed},
	} {
		if h, _, err := ParseTunnelLimit(unhex(t, c.wire)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.name, h, err, c.want)
		}
	}
	for _, padding := range []string{"2900000000000000", "2900010400000000", "2900010000010000"} {
		h, _, err := ParseTunnelLimit(unhex(t, padding))
		if want := (TunnelLimit{Next: packet.ProtoIPv6}); err != nil || h != want {
			t.Errorf("padding %s: %+v, %v", padding, h, err)
		}
	}
}

func FuzzTunnelLimit(f *testing.F) {
	f.Add(tunnel(f, "sit6-limit")[packet.IPv6Len:])
	f.Add(unhex(f, "2900010400000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ParseTunnelLimit(b)
		if err != nil {
			return
		}
		again, behind, err := ParseTunnelLimit(append(h.Append(nil), rest...))
		if err != nil || again != h || !bytes.Equal(behind, rest) {
			t.Fatalf("read again: %+v, %x, %v, first %+v, %x", again, behind, err, h, rest)
		}
	})
}
