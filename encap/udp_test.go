package encap

import (
	"bytes"
	"errors"
	"testing"

	"weft/overlay"
	"weft/packet"
)

func TestBare(t *testing.T) {
	t.Parallel()
	v4, v6 := ends4.UDP(1, 2, nil)[packet.EthernetLen:], ends6.UDP(1, 2, nil)[packet.EthernetLen:]
	for name, c := range map[string]struct {
		payload []byte
		want    packet.EtherType
		err     error
	}{
		"IPv4":              {v4, packet.TypeIPv4, nil},
		"IPv6":              {v6, packet.TypeIPv6, nil},
		"nothing":           {nil, 0, packet.ErrShort},
		"a piece of IPv4":   {v4[:19], packet.TypeIPv4, packet.ErrShort},
		"a piece of IPv6":   {v6[:39], packet.TypeIPv6, packet.ErrShort},
		"flannel's command": {bytes.Repeat([]byte{1}, 40), packet.TypeIPv4, packet.ErrMalformed},
	} {
		if got, err := ParseBare(c.payload); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %s, %v, want %s, %v", name, got, err, c.want, c.err)
		}
	}
}

// Packets of either family cross underlays of either, and nothing is between the headers.
func TestUDPCarriesBothFamilies(t *testing.T) {
	t.Parallel()
	for inner, b := range map[packet.EtherType][]byte{
		packet.TypeIPv4: ends4.UDP(1000, 53, nil)[packet.EthernetLen:], packet.TypeIPv6: ends6.UDP(1000, 53, nil)[packet.EthernetLen:],
	} {
		for _, vteps := range []Outer{{Src: vtepA4, Dst: vtepB4}, {Src: vtepA6, Dst: vtepB6}} {
			want := vteps
			want.Encapsulation, want.DstPort = overlay.EncapUDP, overlay.DefaultUDPPort
			p := Wrap(want, b)
			overhead, err := Overhead(overlay.EncapUDP, overlay.Routed, overlay.FamilyOf(vteps.Src))
			if err != nil || len(p)-len(b) != overhead {
				t.Errorf("%d bytes more, want %d, %v", len(p)-len(b), overhead, err)
			}
			want.Inner, want.SrcPort = inner, sourcePort(inner, b)
			if o, got, err := Unwrap(overlay.EncapUDP, p, overlay.DefaultUDPPort); err != nil || o != want || !bytes.Equal(got, b) {
				t.Errorf("got %+v, %x, %v, want %+v", o, got, err, want)
			}
			if _, _, err := Unwrap(overlay.EncapUDP, p, 8472); !errors.Is(err, ErrNotTunnel) {
				t.Errorf("to another port: %v", err)
			}
		}
	}
}
