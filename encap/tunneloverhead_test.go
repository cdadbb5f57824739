package encap

import (
	"errors"
	"strings"
	"testing"

	"weft/overlay"
)

// What the kernel's devices say is held to the same arithmetic in test/stock.
func TestTunnelOverhead(t *testing.T) {
	t.Parallel()
	var key overlay.GREKey
	for _, c := range []struct {
		s      overlay.TunnelSpec
		v4, v6 int // -1: ErrUnknown
	}{
		{overlay.TunnelSpec{Mode: overlay.TunnelVXLAN}, 50, 70},
		{overlay.TunnelSpec{Mode: overlay.TunnelGeneve}, 50, 70},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRE}, 24, 44},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRE, OutKey: &key}, 28, 48},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRE, OutChecksum: true}, 28, 48},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRE, OutKey: &key, OutChecksum: true, OutSequence: true}, 36, 56},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRE, InKey: &key, InChecksum: true, InSequence: true}, 24, 44},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRETAP}, 38, 58},
		{overlay.TunnelSpec{Mode: overlay.TunnelGRETAP, OutKey: &key, OutSequence: true}, 46, 66},
		{overlay.TunnelSpec{Mode: overlay.TunnelIPIP}, 20, 40},
		{overlay.TunnelSpec{Mode: overlay.TunnelSIT}, 20, 40},
		{overlay.TunnelSpec{Mode: overlay.TunnelUDP}, 28, 48},
		{overlay.TunnelSpec{Mode: "none"}, -1, -1},
		{overlay.TunnelSpec{Mode: "l2tp"}, -1, -1},
		{overlay.TunnelSpec{}, -1, -1},
	} {
		for f, want := range map[overlay.Family]int{overlay.V4: c.v4, overlay.V6: c.v6, overlay.FamilyAuto: -1} {
			got, err := TunnelOverhead(c.s, f)
			if want < 0 && (!errors.Is(err, ErrUnknown) || got != 0) || want >= 0 && (err != nil || got != want) {
				t.Errorf("%+v over %q: %d, %v, want %d", c.s, f, got, err, want)
			}
		}
	}
}

func TestTunnelMTU(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m       overlay.TunnelMode
		f       overlay.Family
		mtu     int
		inside  []overlay.Family
		want    int
		err     error
		errText string
	}{
		{overlay.TunnelGRE, overlay.V4, 1500, []overlay.Family{overlay.V6}, 1476, nil, ""},
		{overlay.TunnelGRE, overlay.V4, 1303, []overlay.Family{overlay.V6}, 0, ErrMTU, "1303 bytes; packets of family v6 in mode gre over v4 need 1304"},
		{overlay.TunnelGRE, overlay.V4, 1303, nil, 1279, nil, ""},
		{overlay.TunnelGRE, overlay.V4, 599, nil, 0, ErrMTU, "family v4 in mode gre over v4 need 600"},
		{overlay.TunnelSIT, overlay.V6, 1320, []overlay.Family{overlay.V6}, 1280, nil, ""},
		{overlay.TunnelSIT, overlay.V6, 600, nil, 560, nil, ""}, // nobody has said that there is IPv6 inside
		{overlay.TunnelUDP, overlay.V6, 9000, nil, 8952, nil, ""},
		{overlay.TunnelUDP, overlay.V6, 9000, []overlay.Family{"v5"}, 0, ErrUnknown, `"v5"`},
		{"l2tp", overlay.V4, 1500, nil, 0, ErrUnknown, `tunnel mode "l2tp"`},
	} {
		got, err := TunnelMTU(overlay.TunnelSpec{Mode: c.m}, c.f, c.mtu, c.inside...)
		if got != c.want || !errors.Is(err, c.err) || err != nil && !strings.Contains(err.Error(), c.errText) {
			t.Errorf("%s over %s, %d: %d, %v, want %d, %v %q", c.m, c.f, c.mtu, got, err, c.want, c.err, c.errText)
		}
	}
}
