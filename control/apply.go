package control

import (
	"context"
	"runtime"
	"time"

	"weft/dataplane"
)

// applying is how far the plane is behind.
type applying struct {
	// full: compare everything instead of applying what changed.
	full bool
	// retry fires when an Apply that failed is due again.
	retry *time.Timer
	wait  time.Duration
	// err of the last Apply, and how many have failed since one succeeded.
	err   error
	tries int
}

// again is the channel on which a retry falls due; nil blocks for ever.
func (a *applying) again() <-chan time.Time {
	if a.retry == nil {
		return nil
	}
	return a.retry.C
}

func (a *applying) failed(err error) {
	a.err, a.full = err, false // the retry makes it full again
	a.tries++
	a.wait = min(max(2*a.wait, retryFirst), retryMost)
	a.stop()
	a.retry = time.NewTimer(a.wait)
}

func (a *applying) succeeded() {
	a.err, a.full, a.wait, a.tries = nil, false, 0, 0
	a.stop()
}

func (a *applying) stop() {
	if a.retry != nil {
		a.retry.Stop()
		a.retry = nil
	}
}

// step brings the host to what is wanted now, if anything is to be done.
func (l *Loop) step(ctx context.Context) {
	if !l.started || ctx.Err() != nil {
		return
	}
	if !l.planned {
		// What was allocated until now is mostly garbage: JSON, and what the cache and a watch
		// have both told. The first State is about to take as much again. Collected before, and not
		// when the collector comes to it, they are never in memory together.
		runtime.GC()
		l.planned = true
	}
	l.followPeers(ctx)
	delta, changed := l.planner.Plan()
	l.choose()
	switch {
	case changed && l.applying.err != nil:
		l.applying.wait = 0 // it may have been mended: it is soon tried again
		fallthrough
	case l.applying.full:
		l.apply(ctx, nil) // one network's failure keeps no other waiting
	case changed:
		l.apply(ctx, &delta)
	}
	l.settle()
}

func (l *Loop) apply(ctx context.Context, since *dataplane.Delta) {
	if err := l.Plane.Apply(ctx, l.planner.State(), since); err != nil {
		if ctx.Err() != nil {
			return
		}
		if was := l.applying.err; was == nil || was.Error() != err.Error() {
			l.Log.Error("the host could not be brought to what is wanted; trying again", "err", err)
			l.reports.dirty()
		}
		l.applying.failed(err)
		return
	}
	if l.applying.err != nil {
		l.Log.Info("the host is as wanted again")
	}
	l.applying.succeeded()
	l.reports.dirty()
}

// audit compares everything, to find what the host does not announce.
func (l *Loop) audit() {
	l.applying.full = true
	l.checkNamespaces()
	l.withdrawUnseen(time.Now())
}
