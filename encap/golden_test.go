package encap

import (
	"encoding/hex"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/packet"
)

// underlay is one of the frames that the kernel's vxlan devices sent, without its
// Ethernet header: see the head of testdata/frames.txt.
func underlay(t testing.TB, name string) []byte {
	t.Helper()
	b := testenv.Frames(t, "testdata/frames.txt")[name]
	_, b, err := packet.ParseEthernet(b)
	if err != nil {
		t.Fatalf("frame %s: %v", name, err)
	}
	return b
}

// vxlan is the UDP payload of such a frame.
func vxlan(t testing.TB, name string) []byte {
	t.Helper()
	var o Outer
	segment, err := o.unwrapIP(underlay(t, name))
	if err != nil {
		t.Fatal(err)
	}
	_, payload, err := packet.ParseUDP(segment)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
