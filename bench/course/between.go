package course

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft/bench"
	"weft/bench/probe"
)

// A maker makes a way. Its error is errMissing if a program for it is not there.
type maker func(context.Context, *ground, Options) (way, error)

// named is a maker whose way's name is known before it is made.
type named struct {
	name string
	make maker
}

// waysBetween are all ways between two hosts.
func waysBetween() []named {
	all := []named{{nameRouted, routed}, {nameBridgedByHand, bridgedByHand}, {nameRoutedByHand, routedByHand}}
	for i, m := range modes {
		all = append(all, named{m.String(), m.weave(i, "a", "b")})
	}
	return append(all, named{nameOpenVSwitch, openVSwitch}, named{nameWireGuard, wireGuard})
}

// between measures ways between two hosts, in every setting that is wanted.
func between(ctx context.Context, o Options, r *bench.Report) error {
	wanted := o.settings()
	if len(wanted) == 0 {
		return nil
	}
	return on(ctx, o, func(g *ground) (err error) {
		if err := g.start(ctx); err != nil {
			return err
		}
		ways, err := makeWays(ctx, g, o, r, waysBetween())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeAll(ways)) }()
		contests := make([]*contest, len(wanted))
		for i, s := range wanted {
			contests[i] = newContest(s.name, s.about, probe.Tasks(), ways)
			if s.held {
				contests[i].part.Targets = targets
			}
		}
		// The settings take turns, too: what the machine does in an hour's time is
		// the same for all.
		for turn := range o.Rounds {
			for i, s := range wanted {
				began := time.Now()
				if err := s.apply(ctx, g); err != nil {
					return err
				}
				if err := contests[i].round(ctx, turn); err != nil {
					return err
				}
				o.say("round %d of %d, %s (%v)", turn+1, o.Rounds, s.name, time.Since(began).Round(time.Second))
			}
		}
		for _, c := range contests {
			c.report(r)
		}
		return nil
	})
}

// makeWays makes the ways that are wanted and opens sessions over them. Those whose
// programs are not there are left out, and the report says so.
func makeWays(ctx context.Context, g *ground, o Options, r *bench.Report, all []named) ([]*measured, error) {
	var ways []way
	for _, n := range all {
		if !o.wantsWay(n.name) {
			continue
		}
		o.say("make %s", n.name)
		w, err := n.make(ctx, g, o)
		if errors.Is(err, errMissing) {
			r.LeftOut[n.name] = err.Error()
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", n.name, err)
		}
		ways = append(ways, w)
	}
	if len(ways) == 0 {
		return nil, errors.New("nothing is left to measure between hosts")
	}
	return openAll(ctx, o, ways)
}

// wantsWay says whether a way is to be measured.
func (o *Options) wantsWay(name string) bool {
	return len(o.Ways) == 0 || slices.ContainsFunc(o.Ways, func(part string) bool { return strings.Contains(name, part) })
}
