package course

import (
	"context"
	"fmt"
	"time"

	"weft/bench"
	"weft/bench/probe"
)

// newPart is a part without figures yet.
func newPart(name, about string, tasks []probe.Task, ways []*measured) bench.Part {
	p := bench.Part{Name: name, About: about}
	for _, t := range tasks {
		p.Measures = append(p.Measures, t.Measures...)
	}
	for _, w := range ways {
		p.Series = append(p.Series, bench.Series{Way: w.name, Origin: w.origin})
	}
	return p
}

// round adds a round's figures to the part: all ways take turns with each task.
func round(ctx context.Context, p *bench.Part, tasks []probe.Task, ways []*measured, turn int) error {
	for _, t := range tasks {
		for i := range ways {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := (i + turn) % len(ways)
			figures, err := ways[at].Measure(t)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", p.Name, ways[at].name, err)
			}
			p.Series[at].Add(figures)
		}
	}
	return nil
}

// rounds measures all rounds of a part.
func rounds(ctx context.Context, o Options, p *bench.Part, tasks []probe.Task, ways []*measured) error {
	for turn := range o.Rounds {
		began := time.Now()
		if err := round(ctx, p, tasks, ways, turn); err != nil {
			return err
		}
		o.say("%s: round %d of %d (%v)", p.Name, turn+1, o.Rounds, time.Since(began).Round(time.Second))
	}
	return nil
}
