package plan

import (
	"testing"

	"pgregory.net/rapid"

	"weft/overlay"
)

// TestContest compares it with a plain set of claimants per key.
func TestContest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var pool []*overlay.Endpoint
		for i := range 5 {
			e := &overlay.Endpoint{Meta: overlay.Meta{Name: string(rune('a' + i)), Revision: revisions.Draw(t, "revision")}}
			pool = append(pool, e)
		}
		c, model := newContest[int](), map[int]map[*overlay.Endpoint]bool{1: {}, 2: {}}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			k, e := rapid.IntRange(1, 2).Draw(t, "key"), rapid.SampledFrom(pool).Draw(t, "endpoint")
			if rapid.Bool().Draw(t, "enter") {
				c.enter(k, e)
				model[k][e] = true
			} else {
				c.leave(k, e)
				delete(model[k], e)
			}
			barred := rapid.SampledFrom(pool).Draw(t, "barred")
			var want *overlay.Endpoint
			for e := range model[k] {
				if e != barred && (want == nil || outdates(&e.Meta, &want.Meta)) {
					want = e
				}
			}
			if got := c.holder(k, func(e *overlay.Endpoint) bool { return e != barred }); got != want {
				t.Fatalf("%v has %d, want %v", got, k, want)
			}
		}
		for k := range model {
			for _, e := range pool {
				c.leave(k, e)
			}
		}
		if len(c.one)+len(c.others) != 0 {
			t.Fatalf("left over: %v %v", c.one, c.others)
		}
	})
}
