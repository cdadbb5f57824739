package encap

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"weft/overlay"
	"weft/packet"
)

// tshark 4.0: v4-echo4 has VNI 16702650, v6-echo6 has 7001.
func TestVXLANOfTheKernel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		vni   overlay.VNI
		inner int
	}{
		"v4-arp": {16702650, 42}, "v4-echo4": {16702650, 58}, "v4-echo6": {16702650, 78}, "v4-full": {16702650, 1464},
		"v6-arp": {7001, 42}, "v6-echo4": {7001, 58}, "v6-echo6": {7001, 78}, "v6-full": {7001, 1444},
	} {
		t.Run(name, func(t *testing.T) {
			b := vxlan(t, name)
			h, rest, err := ParseVXLAN(b)
			if err != nil || h.VNI != want.vni || len(rest) != want.inner {
				t.Fatalf("VNI %d, %d bytes, %v, want %+v", h.VNI, len(rest), err, want)
			}
			if got := h.Append([]byte{1}); !bytes.Equal(got[1:], b[:VXLANLen]) {
				t.Errorf("Append gives %x, want %x", got[1:], b[:VXLANLen])
			}
			if _, _, err := packet.ParseEthernet(rest); err != nil {
				t.Errorf("inner frame: %v", err)
			}
		})
	}
}

func TestVXLANRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wire string
		want       error
		text       string
		vni        overlay.VNI // what a tracer still sees
	}{
		{"nothing", "", packet.ErrShort, "0 of 8", 0},
		{"seven bytes", "08000000 000001", packet.ErrShort, "7 of 8", 0},
		{"no I flag", "00000000 00000100", ErrNoVNI, "flags 0x00, VNI 1", 0},
		{"all flags but I", "f7000000 00000100", ErrNoVNI, "flags 0xf7", 0},
		{"VNI 0", "08000000 00000000", ErrNoVNI, "VNI 0", 0},
		{"group policy", "8800002a 00000900", ErrGroupPolicy, "group 42", 9},
		{"group policy, do not learn", "8848002a 00000900", ErrGroupPolicy, "group 42", 9},
		{"GPE, next protocol NSH", "0c000004 00000900", ErrReserved, "0c00000400000900", 9},
		{"GPE, OAM", "09000003 00000900", ErrReserved, "09000003", 9},
		{"remote checksum offload", "08200000 00000985", ErrReserved, "08200000", 9},
		{"last byte", "08000000 00000901", ErrReserved, "00000901", 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, rest, err := ParseVXLAN(unhex(t, c.wire))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
			if h.VNI != c.vni || (rest != nil) != (c.vni != 0) {
				t.Errorf("VNI %d, rest %v beside the error", h.VNI, rest)
			}
		})
	}
}

// A kernel device with gbp sends what we refuse by name; tshark 4.0 reads "Group
// Policy ID: 42".
func TestVXLANGroupPolicyOfTheKernel(t *testing.T) {
	t.Parallel()
	h, rest, err := ParseVXLAN(vxlan(t, "gbp"))
	if !errors.Is(err, ErrGroupPolicy) || !strings.Contains(err.Error(), "group 42") {
		t.Errorf("got %v", err)
	}
	if h.VNI != 9 || len(rest) != 58 {
		t.Errorf("VNI %d, %d bytes", h.VNI, len(rest))
	}
}

// Whatever single bit is set in a good header, it is refused or is the VNI's.
func TestVXLANEveryBitCounts(t *testing.T) {
	t.Parallel()
	good := VXLAN{VNI: 0x555555}.Append(nil)
	for bit := range 64 {
		b := bytes.Clone(good)
		b[bit/8] ^= 0x80 >> (bit % 8)
		h, _, err := ParseVXLAN(b)
		if inVNI := bit >= 32 && bit < 56; inVNI != (err == nil) || err == nil && h.VNI == 0x555555 {
			t.Errorf("bit %d: VNI %#x, %v", bit, h.VNI, err)
		}
	}
}

func TestVXLANInvalidVNIReachesNoNetwork(t *testing.T) {
	t.Parallel()
	for _, vni := range []overlay.VNI{0, overlay.MaxVNI + 1, 1<<24 + 5, 1<<32 - 1} {
		if _, _, err := ParseVXLAN(VXLAN{VNI: vni}.Append(nil)); !errors.Is(err, ErrNoVNI) {
			t.Errorf("VNI %d: %v", vni, err)
		}
	}
}

func FuzzVXLAN(f *testing.F) {
	for _, name := range []string{"v4-arp", "v6-echo6", "gbp"} {
		f.Add(vxlan(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ParseVXLAN(b)
		if err != nil {
			return
		}
		if !h.VNI.Valid() {
			t.Fatalf("VNI %d", h.VNI)
		}
		if wire := append(h.Append(nil), rest...); !bytes.Equal(wire, b) {
			t.Fatalf("Append gives\n%x, read was\n%x", wire, b)
		}
	})
}
