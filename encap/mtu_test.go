package encap

import (
	"errors"
	"strings"
	"testing"

	"weft/overlay"
	"weft/packet"
)

func TestOverhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e    overlay.Encapsulation
		f    overlay.Family
		want int
		err  error
	}{
		{overlay.EncapVXLAN, overlay.V4, 50, nil},
		{overlay.EncapVXLAN, overlay.V6, 70, nil},
		{overlay.EncapNone, overlay.V4, 0, nil},
		{overlay.EncapNone, overlay.V6, 0, nil},
		{overlay.EncapVXLAN, overlay.FamilyAuto, 0, ErrUnknown},
		{overlay.EncapNone, "", 0, ErrUnknown},
		{"carrier-pigeon", overlay.V4, 0, ErrUnknown}, // RFC 1149
		{"", overlay.V4, 0, ErrUnknown},
	} {
		got, err := Overhead(c.e, c.f)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q over %q: %d, %v, want %d, %v", c.e, c.f, got, err, c.want, c.err)
		}
	}
}

// The largest packets that the kernel's vxlan devices sent over an underlay of 1500
// bytes are just as large as we say.
func TestOverheadIsTheKernels(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]overlay.Family{"v4-full": overlay.V4, "v6-full": overlay.V6} {
		outer := len(underlay(t, name))
		inner := len(vxlan(t, name)) - VXLANLen - packet.EthernetLen
		if outer != 1500 {
			t.Fatalf("%s has %d bytes on the underlay", name, outer)
		}
		if got, err := PortMTU(overlay.EncapVXLAN, f, outer); err != nil || got != inner {
			t.Errorf("%s: %d, %v, want %d", name, got, err, inner)
		}
	}
}

func TestPortMTU(t *testing.T) {
	t.Parallel()
	both := []overlay.Family{overlay.V4, overlay.V6}
	for _, c := range []struct {
		e       overlay.Encapsulation
		f       overlay.Family
		mtu     int
		inside  []overlay.Family
		want    int
		err     error
		errText string
	}{
		{overlay.EncapVXLAN, overlay.V4, 1500, both, 1450, nil, ""},
		{overlay.EncapVXLAN, overlay.V6, 1500, both, 1430, nil, ""},
		{overlay.EncapVXLAN, overlay.V4, 9000, nil, 8950, nil, ""},
		{overlay.EncapNone, overlay.V4, 1500, both, 1500, nil, ""},
		// DESIGN section 6: 1330 and 1350 for IPv6 inside.
		{overlay.EncapVXLAN, overlay.V4, 1330, both, 1280, nil, ""},
		{overlay.EncapVXLAN, overlay.V4, 1329, both, 0, ErrMTU, "1329 bytes; a subnet of family v6 with encapsulation vxlan over v4 needs 1330"},
		{overlay.EncapVXLAN, overlay.V6, 1350, both, 1280, nil, ""},
		{overlay.EncapVXLAN, overlay.V6, 1349, both, 0, ErrMTU, "needs 1350"},
		{overlay.EncapVXLAN, overlay.V4, 1329, both[:1], 1279, nil, ""},
		{overlay.EncapVXLAN, overlay.V4, 626, nil, 576, nil, ""},
		{overlay.EncapVXLAN, overlay.V4, 625, nil, 0, ErrMTU, "needs 626"},
		{overlay.EncapVXLAN, overlay.V4, 0, nil, 0, ErrMTU, "0 bytes"},
		{overlay.EncapVXLAN, overlay.V4, 1500, []overlay.Family{overlay.FamilyAuto}, 0, ErrUnknown, `family "auto"`},
		{"l2tp", overlay.V4, 1500, nil, 0, ErrUnknown, `encapsulation "l2tp"`},
	} {
		got, err := PortMTU(c.e, c.f, c.mtu, c.inside...)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s over %s, %d: %d, %v, want %d, %v", c.e, c.f, c.mtu, got, err, c.want, c.err)
		}
		if err != nil && !strings.Contains(err.Error(), c.errText) {
			t.Errorf("error %q does not say %q", err, c.errText)
		}
	}
}
