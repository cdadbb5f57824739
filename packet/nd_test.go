package packet

import (
	"net/netip"
	"testing"
)

func TestND(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want ND
	}{
		{"ns", ND{Type: ICMPv6NeighborSolicitation, Checksum: 0x1bfd, Target: router6}},
		{"ns-dad", ND{
			Type: ICMPv6NeighborSolicitation, Checksum: 0x2670, Target: netip.MustParseAddr("fe80::ff:fe00:a"),
		}},
		{"na", ND{
			Type: ICMPv6NeighborAdvertisement, Checksum: 0x0a3d,
			Flags: NDRouter | NDSolicited | NDOverride, Target: router6,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := segment(t, c.name)
			checkParse(t, b, ParseND, c.want, 8)
			checkCutOff(t, b, ParseND)
			checkParse(t, with(b, 7, 0x55), ParseND, // reserved bits are kept
				ND{c.want.Type, c.want.Checksum, c.want.Flags | 0x55, c.want.Target}, 8)
		})
	}
}

func TestNDRefuses(t *testing.T) {
	t.Parallel()
	b := segment(t, "ns")
	checkRefusals(t, ParseND, []refusal{
		{"echo", segment(t, "echo6-request"), ErrUnsupported, "type 128"},
		{"router solicitation", append(segment(t, "rs"), make([]byte, 8)...), ErrUnsupported, "type 133"},
		{"code 1", with(b, 1, 1), ErrMalformed, "code 1"},
		{"multicast target", with(b, 8, 0xff), ErrMalformed, "multicast target"},
	})
}

func TestNDOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		typ         NDOptionType
		text        string
	}{
		{"ns", "02000000000a", NDSourceLinkAddr, "source link-layer address"},
		{"na", "02000000000b", NDTargetLinkAddr, "target link-layer address"},
		{"ns-dad", "1164224714ef", NDNonce, "nonce"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := segment(t, c.name)[NDLen:]
			o, rest, err := ParseNDOption(b)
			if err != nil || o.Type != c.typ || string(o.Value) != string(unhex(t, c.value)) || len(rest) != 0 {
				t.Errorf("got %v %x, %x, %v", o.Type, o.Value, rest, err)
			}
			if string(o.Append(nil)) != string(b) {
				t.Errorf("Append gives %x, want %x", o.Append(nil), b)
			}
			if o.Type.String() != c.text {
				t.Errorf("it is called %q, want %q", o.Type, c.text)
			}
		})
	}
	if got := NDOptionType(5).String(); got != "option 5" {
		t.Errorf("an MTU option is called %q", got)
	}
	if got := (NDOption{Type: 9, Value: make([]byte, 7)}).Append([]byte{1}); len(got) != 17 || got[2] != 2 {
		t.Errorf("seven bytes are padded to %x", got)
	}
}

func TestLinkAddr(t *testing.T) {
	t.Parallel()
	const nonce, slla, second = "0e01 112233445566", "0101 02000000000a", "0101 02000000000f"
	for _, c := range []struct {
		name, options string
		want          [6]byte
		found         bool
		bad           error
	}{
		{"none", "", [6]byte{}, false, nil},
		{"alone", slla, hostMAC, true, nil},
		{"behind another", nonce + slla, hostMAC, true, nil},
		{"the first counts", slla + second, hostMAC, true, nil},
		{"of another type", nonce + "0201 02000000000a", [6]byte{}, false, nil},
		{"longer than a MAC", "0102 02000000000a 0000000000000000", [6]byte{}, false, nil},
		{"length zero", "0100 02000000000a", [6]byte{}, false, ErrMalformed},
		{"length zero behind a good one", slla + "0e00 000000000000", [6]byte{}, false, ErrMalformed},
		{"cut off", slla[:13], [6]byte{}, false, ErrShort},
		{"behind the end", "0103 02000000000a", [6]byte{}, false, ErrShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			mac, found, err := LinkAddr(unhex(t, c.options), NDSourceLinkAddr)
			if mac != c.want || found != c.found || !is(err, c.bad) {
				t.Errorf("got %x, %v, %v", mac, found, err)
			}
		})
	}
}

func TestNDFrames(t *testing.T) {
	t.Parallel()
	checkFrame(t, "ns", NSFrame(hostMAC, host6, router6))
	checkFrame(t, "na", NAFrame(routerMAC, router6, NDRouter|NDSolicited|NDOverride, hostMAC, host6))

	// The kernel's DAD is ours and a nonce.
	dad := NSFrame(hostMAC, netip.IPv6Unspecified(), netip.MustParseAddr("fe80::ff:fe00:a"))
	want := frame(t, "ns-dad")
	const untilChecksum = EthernetLen + IPv6Len + 2
	if string(dad[:18]) != string(want[:18]) || len(dad) != len(want)-8 ||
		string(dad[20:untilChecksum]) != string(want[20:untilChecksum]) {
		t.Errorf("DAD\n%x, want\n%x", dad, want)
	}
}

// RFC 4861 section 7.2.4: a defence against duplicate address detection goes to
// all nodes.
func TestNAFrameDefends(t *testing.T) {
	t.Parallel()
	b := NAFrame(hostMAC, host6, NDSolicited|NDOverride, routerMAC, netip.IPv6Unspecified())
	eth, b, _ := ParseEthernet(b)
	ip, b, _ := ParseIPv6(b)
	nd, _, err := ParseND(b)
	if err != nil {
		t.Fatal(err)
	}
	if eth.Dst != [6]byte{0x33, 0x33, 0, 0, 0, 1} || ip.Dst.String() != "ff02::1" || nd.Flags != NDOverride {
		t.Errorf("goes to %x, %s with flags %#x", eth.Dst, ip.Dst, nd.Flags)
	}
}

func TestMulticast(t *testing.T) {
	t.Parallel()
	for group, want := range map[string][6]byte{
		"224.0.0.1":        {0x01, 0x00, 0x5e, 0, 0, 1},
		"239.255.1.2":      {0x01, 0x00, 0x5e, 0x7f, 1, 2},
		"ff02::1:ff00:a":   {0x33, 0x33, 0xff, 0, 0, 0x0a},
		"ff02::1":          {0x33, 0x33, 0, 0, 0, 1},
		"ff05::1234:56:78": {0x33, 0x33, 0, 0x56, 0, 0x78},
	} {
		if got := MulticastMAC(netip.MustParseAddr(group)); got != want {
			t.Errorf("%s: got %x, want %x", group, got, want)
		}
	}
	// RFC 4291 section 2.7.1's example.
	if got := SolicitedNode(netip.MustParseAddr("4037::01:800:200e:8c6c")); got.String() != "ff02::1:ff0e:8c6c" {
		t.Errorf("solicited node group %s", got)
	}
}
