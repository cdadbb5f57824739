package control

import (
	"cmp"
	"context"
	"fmt"

	"weft/dataplane"
	"weft/overlay"
)

// waiter waits until the host has what it asked for.
type waiter struct {
	network overlay.NetworkName
	name    overlay.EndpointName
	// gone: wait until the port is away; else until it is there.
	gone bool
	done chan error
}

// Ensure takes in an endpoint that was just written to the store, without
// waiting for the watch, and returns when its port works on this host.
func (l *Loop) Ensure(ctx context.Context, e *overlay.Endpoint) error {
	return l.await(ctx, &waiter{network: e.Network, name: overlay.EndpointName(e.Name), done: make(chan error, 1)},
		func(run context.Context) {
			if l.table.put(ownSource, e) {
				l.change([]overlay.Resource{e}, nil)
			}
			l.watchNetworks(run)
		})
}

// Drop forgets an endpoint that was just deleted from the store, at the
// store's revision then, and returns when its port is gone from this host.
func (l *Loop) Drop(ctx context.Context, k overlay.Key, revision int64) error {
	return l.await(ctx, &waiter{network: k.Network, name: overlay.EndpointName(k.Name), gone: true, done: make(chan error, 1)},
		func(run context.Context) {
			l.table.drop(k, revision)
			l.change(nil, []overlay.Key{k})
			l.watchNetworks(run)
		})
}

func (l *Loop) await(ctx context.Context, w *waiter, take func(context.Context)) error {
	if !l.do(ctx, func(run context.Context) {
		take(run)
		l.waiters = append(l.waiters, w)
	}) {
		return cmp.Or(ctx.Err(), errEnded)
	}
	select {
	case err := <-w.done:
		return err
	case <-l.ended:
		return fmt.Errorf("endpoint %s/%s: the host was not ready yet: %w", w.network, w.name, errEnded)
	case <-ctx.Done():
		l.do(context.WithoutCancel(ctx), func(context.Context) { l.forget(w) })
		return fmt.Errorf("endpoint %s/%s: the host was not ready in time: %w", w.network, w.name, ctx.Err())
	}
}

// settle answers the waiters whose wish the last step fulfilled, or refused.
func (l *Loop) settle() {
	if len(l.waiters) == 0 {
		return
	}
	state := l.planner.State()
	waiting := l.waiters[:0]
	for _, w := range l.waiters {
		_, there := state.Networks[w.network].Ports[w.name]
		failed := dataplane.Concerning(l.applying.err, w.network, w.name)
		switch problems := state.Problems[w.network]; {
		case failed != nil:
			w.done <- failed
		case there != w.gone:
			l.note()
			w.done <- nil
		case !w.gone && !l.knows(w):
			w.done <- fmt.Errorf("endpoint %s/%s was detached again before it was ready", w.network, w.name)
		case !w.gone && len(problems) > 0:
			w.done <- fmt.Errorf("network %s: %s", w.network, problems[0])
		default:
			waiting = append(waiting, w)
		}
	}
	l.waiters = waiting
}

// noteMost is up to how many resources the cache is written whenever somebody is told
// that it is done: as fast as a few milliseconds. A larger one is written at its pace.
const noteMost = 2000

// note has what was asked for survive a crash of this agent, and the loss of the
// store at the same time.
func (l *Loop) note() {
	if len(l.table.entries) <= noteMost {
		l.save()
	}
}

// knows reports whether the endpoint that is waited for is still to be there.
func (l *Loop) knows(w *waiter) bool {
	_, known := l.table.entries[overlay.Key{Kind: overlay.KindEndpoint, Network: w.network, Name: string(w.name)}]
	return known
}

func (l *Loop) failWaiters(err error) {
	for _, w := range l.waiters {
		w.done <- err
	}
	l.waiters = nil
}

func (l *Loop) forget(gone *waiter) {
	for i, w := range l.waiters {
		if w == gone {
			l.waiters = append(l.waiters[:i], l.waiters[i+1:]...)
			return
		}
	}
}
