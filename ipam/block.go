package ipam

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"weft/overlay"
)

// NextBlock chooses a node's share of a routed network's subnet: a prefix of
// the given length that overlaps none of those taken, the first behind after
// (the block given last, or the zero Prefix), going round at the subnet's end.
// The error is an ExhaustedError.
//
// The block that has the gateway's address is chosen like any other: Pool
// keeps that address from endpoints, and every block that overlay.Validate
// allows has room for one beside it.
func NextBlock(subnet netip.Prefix, bits int, taken []netip.Prefix, after netip.Prefix) (netip.Prefix, error) {
	subnet = subnet.Masked()
	if limit := overlay.FamilyOf(subnet.Addr()).Bits(); bits < subnet.Bits() || bits > limit {
		return netip.Prefix{}, fmt.Errorf("choose a block of %s: prefix length %d: want %d to %d", subnet, bits, subnet.Bits(), limit)
	}
	taken = within(subnet, taken)
	first := netip.PrefixFrom(subnet.Addr(), bits)
	start := first
	if after.IsValid() && subnet.Contains(after.Addr()) {
		if next, ok := behind(after, bits); ok && subnet.Contains(next.Addr()) {
			start = next
		}
	}
	if b, ok := gap(subnet, start, taken); ok {
		return b, nil
	}
	if b, ok := gap(subnet, first, taken); ok {
		return b, nil
	}
	blocks := uint64(1) << min(bits-subnet.Bits(), 63)
	return netip.Prefix{}, &ExhaustedError{
		What: "block", Range: fmt.Sprintf("subnet %s", subnet), Taken: blocks, Usable: blocks,
		Hint: fmt.Sprintf("each node takes a /%d: remove nodes' last endpoints, or make a network with a larger subnet or smaller blocks", bits),
	}
}

// within returns the prefixes that overlap the subnet, by address.
func within(subnet netip.Prefix, all []netip.Prefix) []netip.Prefix {
	var in []netip.Prefix
	for _, p := range all {
		if p.IsValid() && p.Overlaps(subnet) {
			in = append(in, p.Masked())
		}
	}
	slices.SortFunc(in, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return in
}

// gap finds the first block from b on that overlaps nothing taken. Both only
// ever go forward, so it takes as many steps as there are prefixes taken.
func gap(subnet, b netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	for i := 0; i < len(taken); {
		t := taken[i]
		switch {
		case t.Overlaps(b):
			longer := b
			if t.Bits() < b.Bits() {
				longer = t
			}
			next, ok := behind(longer, b.Bits())
			if !ok || !subnet.Contains(next.Addr()) {
				return netip.Prefix{}, false
			}
			b = next
		case t.Addr().Less(b.Addr()):
			i++
		default:
			return b, true
		}
	}
	return b, true
}

// behind is the first block of the given length behind p; false at the end of
// the address space.
func behind(p netip.Prefix, bits int) (netip.Prefix, bool) {
	last := overlay.LastAddr(p)
	if p.Bits() > bits {
		last = overlay.LastAddr(netip.PrefixFrom(p.Addr(), bits))
	}
	next := last.Next()
	return netip.PrefixFrom(next, bits), next.IsValid()
}
