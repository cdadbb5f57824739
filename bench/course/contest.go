package course

import (
	"context"
	"slices"
	"time"

	"weft/bench"
	"weft/bench/probe"
)

// contest is a part of the report that is being measured.
type contest struct {
	part  bench.Part
	tasks []probe.Task
	ways  []*measured
	// failed says of ways why they are measured no more.
	failed map[string]error
}

func newContest(name, about string, tasks []probe.Task, ways []*measured) *contest {
	c := &contest{part: bench.Part{Name: name, About: about}, tasks: tasks, ways: ways, failed: map[string]error{}}
	for _, t := range tasks {
		c.part.Measures = append(c.part.Measures, t.Measures...)
	}
	for _, w := range ways {
		c.part.Series = append(c.part.Series, bench.Series{Way: w.name, Origin: w.origin})
	}
	return c
}

// round measures everything once: all ways take turns with each task.
func (c *contest) round(ctx context.Context, turn int) error {
	for _, t := range c.tasks {
		for i := range c.ways {
			at := (i + turn) % len(c.ways)
			w := c.ways[at]
			if c.failed[w.name] != nil {
				continue
			}
			figures, err := measure(ctx, w.Session, t)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				c.failed[w.name] = err
				continue
			}
			c.part.Series[at].Add(figures)
		}
	}
	return nil
}

// attempts is how often a measurement is tried. One that failed says nothing of speed,
// and is no reason to throw away what a quarter of an hour has brought.
const attempts = 3

func measure(ctx context.Context, s *probe.Session, t probe.Task) (figures map[string]float64, err error) {
	for range attempts {
		if figures, err = s.Measure(t); err == nil || ctx.Err() != nil {
			break
		}
	}
	return figures, err
}

// rounds measures all rounds.
func (c *contest) rounds(ctx context.Context, o Options) error {
	for turn := range o.Rounds {
		began := time.Now()
		if err := c.round(ctx, turn); err != nil {
			return err
		}
		o.say("%s: round %d of %d (%v)", c.part.Name, turn+1, o.Rounds, time.Since(began).Round(time.Second))
	}
	return nil
}

// report adds the part to the report, without the ways that failed: those are said to be
// left out, and why.
func (c *contest) report(r *bench.Report) {
	c.part.Series = slices.DeleteFunc(c.part.Series, func(s bench.Series) bool {
		err := c.failed[s.Way]
		if err != nil {
			r.LeftOut[c.part.Name+", "+s.Way] = "a measurement failed: " + err.Error()
		}
		return err != nil
	})
	r.Parts = append(r.Parts, c.part)
}
