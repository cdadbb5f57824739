package nft

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// Routes that do not overlap lead every address to where the longest prefix led it.
func TestLongest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		address := func(label string) netip.Addr {
			return netip.AddrFrom4([4]byte{10, 7, rapid.Byte().Draw(t, label), rapid.Byte().Draw(t, label)})
		}
		routes := map[netip.Prefix]netip.Addr{}
		for range rapid.IntRange(0, 12).Draw(t, "routes") {
			p := netip.PrefixFrom(address("prefix"), rapid.IntRange(16, 32).Draw(t, "bits")).Masked()
			routes[p] = netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "hop")})
		}
		apart := longest(routes)
		asked := []netip.Addr{address("any")}
		for p := range routes {
			first := binary.BigEndian.Uint32(p.Addr().AsSlice())
			last := first | (1<<(32-p.Bits()) - 1)
			for _, n := range []uint32{first - 1, first, last, last + 1} {
				asked = append(asked, netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n))))
			}
		}
		for _, a := range asked {
			var want, got netip.Addr
			bits, found := -1, 0
			for p, hop := range routes {
				if p.Contains(a) && p.Bits() > bits {
					bits, want = p.Bits(), hop
				}
			}
			for p, hop := range apart {
				if p.Contains(a) {
					got = hop
					found++
				}
			}
			if got != want || found > 1 {
				t.Fatalf("%s goes to %s by %d routes, want %s\n%v\n%v", a, got, found, want, routes, apart)
			}
		}
	})
}
