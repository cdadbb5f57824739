package stock

import (
	"net/netip"
	"testing"
	"time"

	"weft/overlay"
)

const v4, v6 = overlay.V4, overlay.V6

// underlayMTU is that of the wire, in bytes.
const underlayMTU = 1500

// patience is how long a packet may take.
const patience = time.Minute

// local is an address on the wire: that of Weft's host, and of the machine.
func local(host int, f overlay.Family) netip.Prefix {
	if f == v4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host + 1)}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(host + 1)}), 64)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
