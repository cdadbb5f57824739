package nft

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// longest turns routes, of which the longest prefix counts, into ones that do not
// overlap: a map in the kernel cannot hold others. Of a prefix with others inside, the
// rest is left.
func longest(routes map[netip.Prefix]netip.Addr) map[netip.Prefix]netip.Addr {
	byLength := slices.SortedFunc(maps.Keys(routes), func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(b.Bits(), a.Bits()), a.Compare(b))
	})
	if !nestedAny(routes) {
		return routes
	}
	apart := map[netip.Prefix]netip.Addr{}
	for i, p := range byLength {
		rest := []netip.Prefix{p}
		for _, inside := range byLength[:i] {
			rest = without(rest, inside)
		}
		for _, r := range rest {
			apart[r] = routes[p]
		}
	}
	return apart
}

// nestedAny reports whether a prefix is inside another: in order of addresses, next to it.
func nestedAny(routes map[netip.Prefix]netip.Addr) bool {
	var before netip.Prefix
	for _, p := range slices.SortedFunc(maps.Keys(routes), netip.Prefix.Compare) {
		if before.IsValid() && before.Overlaps(p) {
			return true
		}
		before = p
	}
	return false
}

// without takes a prefix out of others: what remains of one around it is the other
// half at each length.
func without(all []netip.Prefix, hole netip.Prefix) []netip.Prefix {
	var rest []netip.Prefix
	for _, p := range all {
		switch {
		case !p.Overlaps(hole):
			rest = append(rest, p)
		case p.Bits() < hole.Bits():
			for bits := p.Bits() + 1; bits <= hole.Bits(); bits++ {
				rest = append(rest, sibling(netip.PrefixFrom(hole.Addr(), bits)))
			}
		}
	}
	return rest
}

// sibling is the other half of the prefix that is one bit shorter.
func sibling(p netip.Prefix) netip.Prefix {
	b := p.Masked().Addr().AsSlice()
	i := p.Bits() - 1
	b[i/8] ^= 0x80 >> (i % 8)
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, p.Bits())
}
