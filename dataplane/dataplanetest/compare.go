package dataplanetest

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// compare says in what the deliveries differ from those wanted; it is empty when
// they are the same but for [Differences], in any order.
func compare(want, got []Delivery) string {
	var b strings.Builder
	got = slices.Clone(got)
	for _, w := range requiredFirst(want) {
		if i := slices.IndexFunc(got, func(g Delivery) bool { return same(w, g) }); i >= 0 {
			got = slices.Delete(got, i, i+1)
			continue
		}
		if w.Freedom&Optional != 0 {
			continue
		}
		fmt.Fprintf(&b, "missing  %s\n", describe(w))
		if i := slices.IndexFunc(got, func(g Delivery) bool { return g.At == w.At }); i >= 0 {
			fmt.Fprintf(&b, "instead  %s\n%s", describe(got[i]), explain(w, got[i]))
			got = slices.Delete(got, i, i+1)
		}
	}
	for _, g := range got {
		fmt.Fprintf(&b, "unwanted %s\n", describe(g))
	}
	return b.String()
}

func requiredFirst(want []Delivery) []Delivery {
	want = slices.Clone(want)
	slices.SortStableFunc(want, func(a, b Delivery) int {
		return int(a.Freedom&Optional) - int(b.Freedom&Optional)
	})
	return want
}

// same reports whether got is the delivery that is wanted.
func same(want, got Delivery) bool {
	if want.At != got.At || want.Via != got.Via {
		return false
	}
	if bytes.Equal(want.Bytes, got.Bytes) {
		return true
	}
	w, g := settled(want, got)
	return cmp.Equal(w, g, asValues)
}

// explain says in which parts the two differ.
func explain(want, got Delivery) string {
	w, g := settled(want, got)
	return cmp.Diff(w, g, asValues)
}

// asValues compares addresses by ==: netip hides their fields.
var asValues = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// settled takes both deliveries apart, and gives got the wanted values where a
// plane is free.
func settled(want, got Delivery) (w, g view) {
	w = viewOf(want.At, want.Bytes, want.Freedom)
	g = viewOf(got.At, got.Bytes, want.Freedom)
	if w.shape() != g.shape() {
		return w, g
	}
	for _, d := range Differences() {
		if want.Freedom&d.Freedom != 0 {
			d.settle(&w, &g)
		}
	}
	return w, g
}

// shape says which parts a view has: only views of one shape can be settled.
func (v view) shape() [4]bool {
	return [4]bool{v.Outer != nil, v.Eth != nil, v.IP != nil, v.ICMP != nil}
}
