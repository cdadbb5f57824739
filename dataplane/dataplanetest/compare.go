package dataplanetest

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// compare says in what the deliveries differ from those wanted; it is empty when
// they are the same but for [Differences], in any order.
func compare(want, got []Delivery) string {
	return differences(unmatched(want, slices.DeleteFunc(slices.Clone(got), unasked)))
}

// unmatched are the deliveries of either side that the other has none like.
func unmatched(want, got []Delivery) (missing, unwanted []Delivery) {
	unwanted = slices.Clone(got)
	for _, w := range requiredFirst(want) {
		i := slices.IndexFunc(unwanted, func(g Delivery) bool { return same(w, g) })
		if i < 0 {
			missing = append(missing, w)
			continue
		}
		unwanted = slices.Delete(unwanted, i, i+1)
	}
	return missing, unwanted
}

// differences pairs what is missing with what came instead.
func differences(missing, unwanted []Delivery) string {
	var b strings.Builder
	for _, w := range missing {
		i := slices.IndexFunc(unwanted, func(g Delivery) bool { return g.At == w.At && g.Via == w.Via })
		if i < 0 && w.Freedom&Optional != 0 {
			continue
		}
		fmt.Fprintf(&b, "missing  %s\n", describe(w))
		if i >= 0 {
			fmt.Fprintf(&b, "instead  %s\n%s", describe(unwanted[i]), explain(w, unwanted[i]))
			unwanted = slices.Delete(unwanted, i, i+1)
		}
	}
	for _, g := range unwanted {
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
	if w, g := settled(want, got); reflect.DeepEqual(w, g) {
		return true
	}
	if want.Or == nil {
		return false
	}
	want.Bytes, want.Or = want.Or, nil
	return same(want, got)
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
