package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"weft/overlay"
	"weft/store"
)

// outbox writes to the store what the loop wants written, one at a time and
// away from the loop. What waits under a key is replaced by a newer wish for
// it. While the store is away or on hold wishes wait; what it refuses is logged and
// dropped.
type outbox struct {
	store store.Store
	log   *slog.Logger
	wake  chan struct{}

	mu      sync.Mutex
	pending map[overlay.Key]store.Change
	order   []overlay.Key
}

func newOutbox(s store.Store, log *slog.Logger) *outbox {
	return &outbox{store: s, log: log, wake: make(chan struct{}, 1), pending: map[overlay.Key]store.Change{}}
}

// post adds a change, in place of an earlier one of the same resource, and reports
// whether there was none.
func (o *outbox) post(c store.Change) (news bool) {
	k := c.Delete
	if c.Put != nil {
		k = c.Put.Key()
	}
	o.mu.Lock()
	_, waits := o.pending[k]
	if !waits {
		o.order = append(o.order, k)
	}
	o.pending[k] = c
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return !waits
}

// run writes until ctx ends.
func (o *outbox) run(ctx context.Context) {
	wait := retryFirst
	for {
		k, c, ok := o.next()
		if !ok {
			select {
			case <-o.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		_, _, err := o.store.Update(ctx, c)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrRestored):
			o.putBack(k, c)
			if !sleep(ctx, wait) {
				return
			}
			wait = min(2*wait, retryMost)
			continue
		case errors.Is(err, store.ErrRevoked): // which the loop says once
			o.log.Debug("a change was not taken", "resource", k.String(), "err", err)
		case err != nil && c.Status:
			o.log.Warn("the status of this node was not taken", "err", err)
		case err != nil:
			o.log.Warn("a change was not taken", "resource", k.String(), "err", err)
		}
		wait = retryFirst
	}
}

func (o *outbox) next() (overlay.Key, store.Change, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.order) == 0 {
		return overlay.Key{}, store.Change{}, false
	}
	k := o.order[0]
	o.order = o.order[1:]
	c := o.pending[k]
	delete(o.pending, k)
	return k, c, true
}

// putBack returns a change that could not be written, unless a newer one waits. It
// comes last: on hold a store takes some and not others.
func (o *outbox) putBack(k overlay.Key, c store.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, newer := o.pending[k]; newer {
		return
	}
	o.pending[k] = c
	o.order = append(o.order, k)
}
