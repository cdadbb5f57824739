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
	bridged, routed := overlay.Bridged, overlay.Routed
	for _, c := range []struct {
		e      overlay.Encapsulation
		kind   overlay.NetworkKind
		v4, v6 int // -1: ErrUnknown
	}{
		{overlay.EncapVXLAN, bridged, 50, 70},
		{overlay.EncapVXLAN, routed, 50, 70},
		{overlay.EncapGeneve, bridged, 50, 70},
		{overlay.EncapGeneve, routed, 50, 70},
		{overlay.EncapGRE, bridged, 42, 62},
		{overlay.EncapGRE, routed, 28, 48},
		{overlay.EncapIPIP, routed, 20, 40},
		{overlay.EncapSIT, routed, 20, 40},
		{overlay.EncapUDP, routed, 28, 48},
		{overlay.EncapNone, routed, 0, 0},
		{overlay.EncapIPIP, bridged, -1, -1},
		{overlay.EncapSIT, bridged, -1, -1},
		{overlay.EncapUDP, bridged, -1, -1},
		{overlay.EncapNone, bridged, -1, -1},
		{overlay.EncapVXLAN, "switched", -1, -1},
		{"carrier-pigeon", routed, -1, -1}, // RFC 1149
		{"", routed, -1, -1},
	} {
		for f, want := range map[overlay.Family]int{overlay.V4: c.v4, overlay.V6: c.v6, overlay.FamilyAuto: -1, "": -1} {
			got, err := Overhead(c.e, c.kind, f)
			if want < 0 && (!errors.Is(err, ErrUnknown) || got != 0) || want >= 0 && (err != nil || got != want) {
				t.Errorf("%s %q over %q: %d, %v, want %d", c.kind, c.e, f, got, err, want)
			}
		}
	}
}

// What scapy's packets are longer than what they carry is what we say.
func TestOverheadIsScapys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		e     overlay.Encapsulation
		kind  overlay.NetworkKind
		f     overlay.Family
		inner int // IP
	}{
		"geneve4-frame": {overlay.EncapGeneve, overlay.Bridged, overlay.V4, 44},
		"geneve6-frame": {overlay.EncapGeneve, overlay.Bridged, overlay.V6, 64},
		"gre4-frame":    {overlay.EncapGRE, overlay.Bridged, overlay.V4, 44},
		"gre6-frame":    {overlay.EncapGRE, overlay.Bridged, overlay.V6, 64},
		"gre4-ip4":      {overlay.EncapGRE, overlay.Routed, overlay.V4, 44},
		"gre4-ip6":      {overlay.EncapGRE, overlay.Routed, overlay.V4, 64},
		"ipip4":         {overlay.EncapIPIP, overlay.Routed, overlay.V4, 44},
		"ipip6":         {overlay.EncapIPIP, overlay.Routed, overlay.V6, 44},
		"sit4":          {overlay.EncapSIT, overlay.Routed, overlay.V4, 64},
		"sit6":          {overlay.EncapSIT, overlay.Routed, overlay.V6, 64},
	} {
		got, err := Overhead(c.e, c.kind, c.f)
		if want := len(tunnel(t, name)) - c.inner; err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", name, got, err, want)
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
		if got, err := PortMTU(overlay.EncapVXLAN, overlay.Bridged, f, outer); err != nil || got != inner {
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
		{overlay.EncapGRE, overlay.V4, 1500, both, 1472, nil, ""},
		{overlay.EncapGeneve, overlay.V6, 1349, both, 0, ErrMTU, "needs 1350"},
		{overlay.EncapIPIP, overlay.V4, 1500, both[:1], 1480, nil, ""},
		{overlay.EncapIPIP, overlay.V6, 615, both[:1], 0, ErrMTU, "family v4 with encapsulation ipip over v6 needs 616"},
		{overlay.EncapSIT, overlay.V4, 1300, both[1:], 1280, nil, ""},
		{overlay.EncapSIT, overlay.V4, 1299, both[1:], 0, ErrMTU, "family v6 with encapsulation sit over v4 needs 1300"},
		{overlay.EncapUDP, overlay.V4, 1500, both, 1472, nil, ""},
		{overlay.EncapUDP, overlay.V6, 1328, both, 1280, nil, ""},
		{overlay.EncapUDP, overlay.V6, 1327, both, 0, ErrMTU, "family v6 with encapsulation udp over v6 needs 1328"},
		{"l2tp", overlay.V4, 1500, nil, 0, ErrUnknown, `encapsulation "l2tp"`},
	} {
		got, err := PortMTU(c.e, overlay.Routed, c.f, c.mtu, c.inside...)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s over %s, %d: %d, %v, want %d, %v", c.e, c.f, c.mtu, got, err, c.want, c.err)
		}
		if err != nil && !strings.Contains(err.Error(), c.errText) {
			t.Errorf("error %q does not say %q", err, c.errText)
		}
	}
}
