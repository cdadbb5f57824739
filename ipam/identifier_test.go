package ipam_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"weft/ipam"
	"weft/overlay"
)

func TestNextMAC(t *testing.T) {
	t.Parallel()
	none := func(overlay.MAC) bool { return false }
	for _, tt := range []struct {
		name   string
		random []byte
		taken  func(overlay.MAC) bool
		want   string
	}{
		{"bits are set", []byte{0xfd, 1, 2, 3, 4, 5}, none, "fe:01:02:03:04:05"},
		{"taken is skipped", []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2},
			func(m overlay.MAC) bool { return m[5] == 1 }, "02:00:00:00:00:02"},
		{"gateways' and VTEPs' are skipped", []byte{1, 0x77, 0x66, 0, 0x10, 1, 2, 0x78, 0, 0, 0, 2}, none, "02:78:00:00:00:02"},
	} {
		got, err := ipam.NextMAC(bytes.NewReader(tt.random), tt.taken)
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: NextMAC = %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestNextMACAlwaysUnicastAndLocal(t *testing.T) {
	t.Parallel()
	random, seen := rand.NewChaCha8([32]byte{1}), map[overlay.MAC]bool{}
	for range 10_000 {
		m, err := ipam.NextMAC(random, func(m overlay.MAC) bool { return seen[m] })
		if err != nil || !m.IsUnicast() || m[0]&2 == 0 || seen[m] {
			t.Fatalf("NextMAC = %s, %v (seen %v)", m, err, seen[m])
		}
		seen[m] = true
	}
}

func TestNextMACErrors(t *testing.T) {
	t.Parallel()
	none := func(overlay.MAC) bool { return false }
	if _, err := ipam.NextMAC(bytes.NewReader([]byte{2, 0}), none); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short random source: error = %v", err)
	}
	_, err := ipam.NextMAC(rand.NewChaCha8([32]byte{}), func(overlay.MAC) bool { return true })
	var exhausted *ipam.ExhaustedError
	if !errors.As(err, &exhausted) || exhausted.What != "MAC" {
		t.Errorf("all taken: error = %v", err)
	}
}

func TestNextVNI(t *testing.T) {
	t.Parallel()
	taken := map[overlay.VNI]bool{4097: true, 4098: true, 4100: true, 5: true}
	if v, err := ipam.NextVNI(func(v overlay.VNI) bool { return taken[v] }); err != nil || v != 4099 {
		t.Errorf("NextVNI = %d, %v; want 4099", v, err)
	}
	if v, err := ipam.NextVNI(func(v overlay.VNI) bool { return v != overlay.MaxVNI }); err != nil || v != overlay.MaxVNI {
		t.Errorf("NextVNI = %d, %v; want the last", v, err)
	}
	_, err := ipam.NextVNI(func(overlay.VNI) bool { return true })
	const want = "no free VNI in 4097 to 16777215: 16773119 of 16773119 are taken; ask for one below 4097, or remove networks"
	if err == nil || err.Error() != want {
		t.Errorf("error = %v\n want %s", err, want)
	}
}
