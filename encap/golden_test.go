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
	_, segment, err := o.unwrapIP(underlay(t, name))
	if err != nil {
		t.Fatal(err)
	}
	_, payload, err := packet.ParseUDP(segment)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// tunnel is one of scapy's packets, without its Ethernet header: see the head of
// testdata/tunnels.txt.
func tunnel(t testing.TB, name string) []byte {
	t.Helper()
	_, b, err := packet.ParseEthernet(testenv.Frames(t, "testdata/tunnels.txt")[name])
	if err != nil {
		t.Fatalf("packet %s: %v", name, err)
	}
	return b
}

// header is what stands behind the outer headers of such a packet, UDP's included.
func header(t testing.TB, name string) []byte {
	t.Helper()
	var o Outer
	protocol, b, err := o.unwrapIP(tunnel(t, name))
	if err == nil && protocol == packet.ProtoUDP {
		_, b, err = packet.ParseUDP(b)
	}
	if err != nil {
		t.Fatalf("packet %s: %v", name, err)
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
