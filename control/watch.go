package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"weft/overlay"
	"weft/store"
)

// delivery is what a watch sends to the loop: a batch, or an error that it
// goes on after.
type delivery struct {
	watch *watch
	batch store.Batch
	err   error
}

// watch follows one interest for as long as its context lives.
type watch struct {
	source   source
	interest store.Interest
	stop     context.CancelFunc
	// synced: something was delivered, or the cache stood in for it.
	synced bool
	// revision is that of the last batch, or what was known before the first.
	revision overlay.Revision
}

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// follow watches until ctx ends: first everything that there is, and after an error
// again from where it was, so that an interrupted watch misses nothing and repeats
// nothing. It does not go on from what an earlier run knew: where nothing has
// changed since, nothing would come, and nobody could tell that from a store
// that has not answered yet. A store that is older than what was known, or
// another one, was restored.
func (w *watch) follow(ctx context.Context, s store.Store, known overlay.Revision, out chan<- delivery, log *slog.Logger) {
	send := func(d delivery) error {
		select {
		case out <- d:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var from overlay.Revision
	wait := retryFirst
	for {
		err := s.Watch(ctx, w.interest, from, func(b store.Batch) error {
			if from.IsZero() && !follows(b.Revision, known) {
				return store.ErrRestored
			}
			from, wait = b.Revision, retryFirst
			return send(delivery{watch: w, batch: b})
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the watch ended")
		}
		log.Debug("watch interrupted", "interest", w.interest, "from", from, "err", err, "retry", wait)
		if send(delivery{watch: w, err: err}) != nil || !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, retryMost)
	}
}

// follows reports whether a store that was at a revision can be at another one now.
func follows(now, before overlay.Revision) bool {
	return before.IsZero() || now.Incarnation == before.Incarnation && now.Number >= before.Number
}

// sleep waits for d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
