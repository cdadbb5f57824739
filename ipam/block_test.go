package ipam_test

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"weft/ipam"
)

func prefixes(s ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range s {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

func TestNextBlock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		subnet string
		bits   int
		taken  []netip.Prefix
		after  string
		want   string
	}{
		{"first", "10.8.0.0/16", 24, nil, "", "10.8.0.0/24"},
		{"behind the last given", "10.8.0.0/16", 24, prefixes("10.8.0.0/24"), "10.8.4.0/24", "10.8.5.0/24"},
		{"freed block waits", "10.8.0.0/16", 24, prefixes("10.8.0.0/24"), "10.8.1.0/24", "10.8.2.0/24"},
		{"goes round", "10.8.0.0/16", 24, prefixes("10.8.0.0/24"), "10.8.255.0/24", "10.8.1.0/24"},
		{"taken in any order", "10.8.0.0/16", 24, prefixes("10.8.2.0/24", "10.8.0.0/24", "10.8.1.0/24"), "", "10.8.3.0/24"},
		{"a larger one is in the way", "10.8.0.0/16", 24, prefixes("10.8.0.0/17"), "", "10.8.128.0/24"},
		{"smaller ones are in the way", "10.8.0.0/16", 24, prefixes("10.8.0.64/26", "10.8.1.0/30", "10.8.1.128/26"), "", "10.8.2.0/24"},
		{"strangers are not in the way", "10.8.0.0/16", 24, prefixes("10.9.0.0/24", "fd00::/64"), "", "10.8.0.0/24"},
		{"a gap between", "10.8.0.0/16", 24, prefixes("10.8.0.0/24", "10.8.2.0/24"), "", "10.8.1.0/24"},
		{"the whole subnet", "10.8.0.0/24", 24, nil, "", "10.8.0.0/24"},
		{"v6", "fd08::/48", 64, prefixes("fd08::/64"), "", "fd08:0:0:1::/64"},
		{"the end of the address space", "ffff:ffff:ffff::/48", 64, prefixes("ffff:ffff:ffff::/64"), "ffff:ffff:ffff:ffff::/64", "ffff:ffff:ffff:1::/64"},
		{"the cursor has another length", "10.8.0.0/16", 24, nil, "10.8.3.128/26", "10.8.4.0/24"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			after := netip.Prefix{}
			if tt.after != "" {
				after = netip.MustParsePrefix(tt.after)
			}
			got, err := ipam.NextBlock(netip.MustParsePrefix(tt.subnet), tt.bits, tt.taken, after)
			if err != nil || got.String() != tt.want {
				t.Errorf("NextBlock = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestNextBlockErrors(t *testing.T) {
	t.Parallel()
	subnet := netip.MustParsePrefix("10.8.0.0/23")
	_, err := ipam.NextBlock(subnet, 24, prefixes("10.8.0.0/24", "10.8.1.0/24"), netip.Prefix{})
	const want = "no free block in subnet 10.8.0.0/23: 2 of 2 are taken; each node takes a /24: remove nodes' last endpoints, or make a network with a larger subnet or smaller blocks"
	var exhausted *ipam.ExhaustedError
	if !errors.As(err, &exhausted) || err.Error() != want {
		t.Errorf("error = %v\n want %s", err, want)
	}
	if _, err := ipam.NextBlock(subnet, 22, nil, netip.Prefix{}); err == nil || errors.As(err, &exhausted) {
		t.Errorf("a block larger than the subnet: error = %v", err)
	}
}

// TestBlocksFill takes blocks of changing lengths until none is left: none
// overlaps another, and then indeed every block of that length is touched.
func TestBlocksFill(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		subnet := rapid.SampledFrom(prefixes("10.8.0.0/24", "fd08::/120", "255.255.255.0/24")).Draw(t, "subnet")
		var taken []netip.Prefix
		after := netip.Prefix{}
		for {
			bits := subnet.Bits() + rapid.IntRange(1, 6).Draw(t, "bits")
			b, err := ipam.NextBlock(subnet, bits, taken, after)
			if err != nil {
				c := netip.PrefixFrom(subnet.Addr(), bits)
				for ; subnet.Overlaps(c); c = following(c) {
					if !overlapsAny(c, taken) {
						t.Fatalf("no block although %s is free of %v: %v", c, taken, err)
					}
				}
				return
			}
			if b != b.Masked() || b.Bits() != bits || !subnet.Overlaps(b) || overlapsAny(b, taken) {
				t.Fatalf("NextBlock = %s with %v taken", b, taken)
			}
			taken = append(taken, b)
			after = rapid.SampledFrom(append(taken, netip.Prefix{})).Draw(t, "after")
		}
	})
}

func overlapsAny(p netip.Prefix, all []netip.Prefix) bool {
	for _, q := range all {
		if p.Overlaps(q) {
			return true
		}
	}
	return false
}

// following steps address by address; the invalid Prefix ends a loop.
func following(p netip.Prefix) netip.Prefix {
	a := p.Addr()
	for p.Contains(a) {
		a = a.Next()
	}
	return netip.PrefixFrom(a, p.Bits())
}
