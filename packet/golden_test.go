package packet

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"weft/internal/testenv"
)

// frames are the kernel's: see the head of the file.
func frames(t testing.TB) map[string][]byte {
	t.Helper()
	return testenv.Frames(t, "testdata/frames.txt")
}

// frame is one of frames.
func frame(t testing.TB, name string) []byte {
	t.Helper()
	b := frames(t)[name]
	if b == nil {
		t.Fatalf("no frame %q in testdata/frames.txt", name)
	}
	return b
}

// network is frame without its Ethernet header.
func network(t testing.TB, name string) []byte { return frame(t, name)[EthernetLen:] }

// segment is what an IP packet without extension headers carries.
func segment(t testing.TB, name string) []byte {
	t.Helper()
	b := network(t, name)
	var err error
	if b[0]>>4 == 4 {
		_, b, err = ParseIPv4(b)
	} else {
		_, b, err = ParseIPv6(b)
	}
	if err != nil {
		t.Fatalf("frame %s: %v", name, err)
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The three hosts of testdata/frames.txt.
var (
	hostMAC   = [6]byte{2, 0, 0, 0, 0, 0x0a}
	routerMAC = [6]byte{2, 0, 0, 0, 0, 0x0b}
	host4     = netip.MustParseAddr("192.0.2.10")
	host6     = netip.MustParseAddr("2001:db8:a::10")
	router4   = netip.MustParseAddr("192.0.2.1")
	router6   = netip.MustParseAddr("2001:db8:a::1")
	far4      = netip.MustParseAddr("198.51.100.20")
	far6      = netip.MustParseAddr("2001:db8:c::20")
)

// header is what all headers have.
type header interface {
	comparable
	Append([]byte) []byte
}

// checkParse holds one parsed header against what tshark says, and its bytes and
// the bytes behind it against the input.
func checkParse[H header](t *testing.T, b []byte, parse func([]byte) (H, []byte, error), want H, wantRest int) {
	t.Helper()
	got, rest, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(rest) != wantRest {
		t.Errorf("%d bytes behind the header, want %d", len(rest), wantRest)
	}
	wire := got.Append([]byte("before"))
	head := len(wire) - len("before")
	if string(wire) != "before"+string(b[:head]) {
		t.Errorf("Append gives\n%x, want\n%x", wire[len("before"):], b[:head])
	}
}

// checkCutOff holds that every shorter input than the header is ErrShort, and gives
// no header.
func checkCutOff[H header](t *testing.T, b []byte, parse func([]byte) (H, []byte, error)) {
	t.Helper()
	var zero H
	whole, _, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole.Append(nil)) {
		h, rest, err := parse(b[:n:n])
		if !isShort(err) || h != zero || rest != nil {
			t.Errorf("%d bytes: got %+v, %x, %v, want ErrShort alone", n, h, rest, err)
		}
	}
}
