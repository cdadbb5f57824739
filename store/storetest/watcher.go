package storetest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// deadline is for what should take milliseconds.
const deadline = 20 * time.Second

// replica is what a watcher knows.
type replica map[overlay.Key]overlay.Resource

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// watcher runs a Watch and holds every batch to the contract.
type watcher struct {
	t       fataler
	in      store.Interest
	at      overlay.Revision
	has     replica
	batches chan store.Batch
	ended   chan error
	stop    context.CancelFunc
}

// watch starts a Watch. It is stopped, and has to return nil then, when the test
// ends, unless the test took its end with [watcher.end].
func watch(t testing.TB, s store.Store, in store.Interest, from overlay.Revision) *watcher {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w := &watcher{
		t: t, in: in, at: from, has: replica{},
		batches: make(chan store.Batch), ended: make(chan error, 1), stop: stop,
	}
	go func() {
		defer close(w.ended)
		w.ended <- s.Watch(ctx, in, from, func(b store.Batch) error {
			select {
			case w.batches <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(w.close)
	return w
}

// past is what a watcher had at a revision.
type past struct {
	at  overlay.Revision
	has replica
}

// now is what the watcher has.
func (w *watcher) now() past { return past{at: w.at, has: maps.Clone(w.has)} }

// resume starts a Watch from where another one was, with what it had.
func resume(t testing.TB, s store.Store, in store.Interest, from past) *watcher {
	t.Helper()
	w := watch(t, s, in, from.at)
	w.has = maps.Clone(from.has)
	return w
}

// close ends the watch and waits until it has returned.
func (w *watcher) close() {
	w.stop()
	for err := range w.ended {
		if err != nil && err != context.Canceled {
			w.t.Errorf("watch %+v: %v", w.in, err)
		}
	}
}

// end waits for the error with which the watch ends by itself.
func (w *watcher) end() error {
	w.t.Helper()
	for timeout := time.After(deadline); ; {
		select {
		case err := <-w.ended:
			return err
		case b := <-w.batches:
			w.apply(b)
		case <-timeout:
			w.t.Fatalf("watch %+v: did not end", w.in)
		}
	}
}

// next is the next batch that says something, applied.
func (w *watcher) next() store.Batch {
	w.t.Helper()
	for timeout := time.After(deadline); ; {
		select {
		case b := <-w.batches:
			w.apply(b)
			if b.Reset || len(b.Puts)+len(b.Deletes) > 0 {
				return b
			}
		case err := <-w.ended:
			w.t.Fatalf("watch %+v: ended with %v", w.in, err)
		case <-timeout:
			w.t.Fatalf("watch %+v: nothing came after %s", w.in, w.at)
		}
	}
}

// first is what the watcher has after the first batch, which must be a Reset.
func (w *watcher) first() replica {
	w.t.Helper()
	if b := w.next(); !b.Reset {
		w.t.Fatalf("watch %+v: the first batch is %+v, want a Reset", w.in, b)
	}
	return w.has
}

// apply takes a batch into the replica, and checks it by itself.
func (w *watcher) apply(b store.Batch) {
	w.t.Helper()
	if err := check1(w.in, w.at, b); err != nil {
		w.t.Fatalf("watch %+v after %s: batch %+v: %v", w.in, w.at, b, err)
	}
	if b.Reset {
		w.has = replica{}
	}
	for _, r := range b.Puts {
		w.has[r.Key()] = r
	}
	for _, k := range b.Deletes {
		delete(w.has, k)
	}
	w.at = b.Revision
}

// check1 reports what in a batch breaks the contract.
func check1(in store.Interest, last overlay.Revision, b store.Batch) error {
	keys := map[overlay.Key]bool{}
	number := last.Number
	for _, r := range b.Puts {
		k, revision := r.Key(), r.Header().Revision
		switch {
		case keys[k]:
			return fmt.Errorf("%s is in it twice", k)
		case !in.Covers(r):
			return fmt.Errorf("%s is not covered", k)
		case revision > b.Revision.Number:
			return fmt.Errorf("%s is at revision %d, after the batch's", k, revision)
		case !b.Reset && revision <= number:
			return fmt.Errorf("%s is at revision %d, which came before", k, revision)
		case !b.Reset:
			number = revision
		}
		keys[k] = true
	}
	for _, k := range b.Deletes {
		if keys[k] {
			return fmt.Errorf("%s is in it twice", k)
		}
		keys[k] = true
	}
	byKey := func(a, b overlay.Resource) int { return rules.Compare(a.Key(), b.Key()) }
	switch {
	case b.Reset && !slices.IsSortedFunc(b.Puts, byKey):
		return fmt.Errorf("the order is not that of the keys")
	case b.Reset && len(b.Deletes) > 0:
		return fmt.Errorf("a Reset deletes")
	case b.Revision.Incarnation == "" || b.Revision.Number < last.Number:
		return fmt.Errorf("its revision is %s", b.Revision)
	case !last.IsZero() && b.Revision.Incarnation != last.Incarnation:
		return fmt.Errorf("the incarnation changed")
	}
	return nil
}

// until waits until the watcher has a resource at its revision, or, for a key
// that was deleted, no longer has it.
func (w *watcher) until(last overlay.Resource) {
	w.t.Helper()
	for {
		if r, ok := w.has[last.Key()]; ok && r.Header().Revision >= last.Header().Revision {
			return
		}
		w.next()
	}
}

// same compares what two replicas hold.
func same(t testing.TB, what string, got, want replica) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: want (-), got (+)\n%s", what, cmp.Diff(want, got, byValue))
	}
}

// of makes a replica of resources.
func of(resources ...overlay.Resource) replica {
	has := replica{}
	for _, r := range resources {
		has[r.Key()] = r
	}
	return has
}
