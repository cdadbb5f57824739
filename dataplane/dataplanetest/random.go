package dataplanetest

import (
	"flag"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
)

// runRandom compares a plane with Memory over random States of an encapsulation and frames. One
// harness serves all checks: each begins with an empty State, so what one leaves
// behind the next one finds.
func runRandom(t *testing.T, e overlay.Encapsulation, h Harness) {
	var generation uint64
	enough := budget(10 * time.Second)
	rapid.Check(t, func(t *rapid.T) {
		if enough(t) {
			return
		}
		c := newComparison(t, h, &generation)
		defer c.oracle.Close()
		c.apply(dataplane.State{Node: here}, false)
		for range rapid.IntRange(1, 3).Draw(t, "states") {
			s := drawScene(t, e)
			c.apply(s.state, rapid.Bool().Draw(t, "tell what changed"))
			for range rapid.IntRange(5, 25).Draw(t, "frames") {
				at, frame := s.drawFrame(t)
				c.inject(at, frame)
			}
		}
	})
}

// budget tells when to stop: after some time, unless -rapid.checks says how
// many checks there are to be, or one has failed, which rapid then makes smaller.
func budget(most time.Duration) func(*rapid.T) bool {
	start, told, failed := time.Now(), false, false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "rapid.checks" })
	return func(t *rapid.T) bool {
		t.Cleanup(func() { failed = failed || t.Failed() })
		return !told && !failed && time.Since(start) > most
	}
}

// comparison has a plane and the oracle do the same.
type comparison struct {
	t          *rapid.T
	h          Harness
	oracle     *Memory
	generation *uint64
	last       dataplane.State
	counters   map[overlay.DropReason]uint64 // as read last; nil: not since an Apply
}

func newComparison(t *rapid.T, h Harness, generation *uint64) *comparison {
	return &comparison{t: t, h: h, oracle: NewMemory(), generation: generation, last: dataplane.State{Generation: *generation}}
}

func (c *comparison) apply(s dataplane.State, tell bool) {
	*c.generation++
	s.Generation = *c.generation
	var since *dataplane.Delta
	if tell {
		d := dataplane.Between(c.last, s)
		since = &d
	}
	if err := c.h.Apply(s, since); err != nil {
		c.t.Fatalf("apply: %v", err)
	}
	if err := c.oracle.Apply(c.t.Context(), s, nil); err != nil {
		c.t.Fatalf("apply to the oracle: %v", err)
	}
	c.last, c.counters = s, nil
	if _, err := c.h.Deliveries(); err != nil {
		c.t.Fatalf("collect deliveries: %v", err)
	}
}

func (c *comparison) inject(at Place, frame []byte) {
	if c.counters == nil {
		c.counters = c.drops()
	}
	before := c.counters
	oracleDrops := c.oracle.Drops()
	if err := c.h.Inject(at, frame); err != nil {
		c.t.Fatalf("inject at %s: %v", at, err)
	}
	want := limited(c.oracle.Inject(at, frame))
	got, err := c.h.Deliveries()
	if err != nil {
		c.t.Fatalf("collect deliveries: %v", err)
	}
	in := describe(Delivery{At: at, Bytes: frame})
	if diff := compare(want, got); diff != "" {
		c.t.Errorf("in %s\n%s", in, diff)
	}
	why := counted(oracleDrops, c.oracle.Drops())
	c.counters = c.drops()
	if diff := compareDrops(before, c.counters, why, c.h.Untold()); diff != "" {
		c.t.Errorf("in %s\n%s", in, diff)
	}
}

// limited lets ICMP errors be missing: random frames may cause more of them than
// a host sends (see fresh). The tables hold that there are any.
func limited(want []Delivery) []Delivery {
	for i := range want {
		if want[i].Freedom&Quoting != 0 {
			want[i].Freedom |= Optional
		}
	}
	return want
}

func (c *comparison) drops() map[overlay.DropReason]uint64 {
	d, err := c.h.Drops()
	if err != nil {
		c.t.Fatalf("read drop counters: %v", err)
	}
	return d
}

// counted is the reason whose counter went up, or nothing.
func counted(before, after map[overlay.DropReason]uint64) overlay.DropReason {
	for why, n := range after {
		if n > before[why] {
			return why
		}
	}
	return ""
}
