package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weft/overlay"
	"weft/store"
)

// index is what a server knows of its store: all of it, a moment behind. It
// answers reads, and says what is taken when something is to be chosen. It
// decides nothing: what it says wrongly, the store's transaction refuses.
//
// A watch feeds it. The server's own writes are noted at once, so that whoever
// wrote reads what he wrote; a revision that is older than what is known of a
// key changes nothing.
type index struct {
	mu       sync.Mutex
	revision overlay.Revision
	items    map[overlay.Key]overlay.Resource
	// gone holds the revisions of deletions that were noted and that the watch
	// has not come to yet.
	gone map[overlay.Key]int64
	used used
	// news is closed, and replaced, when something changes; ready is closed
	// while the index is complete; loaded is once it was complete.
	news, ready, loaded chan struct{}
	// revoked is called with each revocation that the index hears of, or is nil.
	// It must not call the index.
	revoked func(*overlay.Revocation)
}

func newIndex(revoked func(*overlay.Revocation)) *index {
	return &index{
		revoked: revoked,
		items:   map[overlay.Key]overlay.Resource{},
		gone:    map[overlay.Key]int64{},
		used:    newUsed(),
		news:    make(chan struct{}),
		ready:   make(chan struct{}),
		loaded:  make(chan struct{}),
	}
}

const (
	// rewatchFirst and rewatchMost bound the pause before a watch that ended
	// is begun again.
	rewatchFirst = 50 * time.Millisecond
	rewatchMost  = 5 * time.Second
)

// run feeds the index until ctx ends.
func (x *index) run(ctx context.Context, s store.Store, log *slog.Logger) {
	everything := store.Interest{Kinds: overlay.Kinds()}
	for pause := rewatchFirst; ; pause = min(2*pause, rewatchMost) {
		err := s.Watch(ctx, everything, x.at(), func(b store.Batch) error {
			pause = rewatchFirst
			x.apply(b)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, store.ErrRestored) {
			log.Error("the store was restored or replaced", "known", x.at().String())
			x.forget()
		} else {
			log.Warn("watch store", "error", err, "again", pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// forget makes the next watch begin anew. Until then the index is not ready:
// what it has may be of a store that is no more.
func (x *index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drop()
}

func (x *index) drop() {
	x.revision = overlay.Revision{}
	clear(x.gone)
	if x.complete() {
		x.ready = make(chan struct{})
	}
}

// complete reports whether the index is. The caller holds the lock.
func (x *index) complete() bool {
	select {
	case <-x.ready:
		return true
	default:
		return false
	}
}

// state is a channel that is closed when the index is complete, and whether it is.
func (x *index) state() (ready <-chan struct{}, complete bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ready, x.complete()
}

func (x *index) at() overlay.Revision {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.revision
}

// apply takes in what the watch delivered.
func (x *index) apply(b store.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if b.Reset {
		x.reset(b)
	}
	for _, r := range b.Puts {
		k := r.Key()
		if r.Header().Revision > max(x.known(k), x.gone[k]) {
			x.set(k, r)
		}
	}
	for _, k := range b.Deletes {
		if x.known(k) <= b.Revision.Number {
			x.set(k, nil)
		}
	}
	for k, at := range x.gone {
		if at <= b.Revision.Number {
			delete(x.gone, k)
		}
	}
	x.revision = b.Revision
	x.announce()
	if !x.complete() {
		close(x.ready)
	}
	select {
	case <-x.loaded:
	default:
		close(x.loaded)
	}
}

// reset drops what a complete batch does not have, but for what was noted since.
func (x *index) reset(b store.Batch) {
	listed := make(map[overlay.Key]bool, len(b.Puts))
	for _, r := range b.Puts {
		listed[r.Key()] = true
	}
	replaced := b.Revision.Incarnation != x.revision.Incarnation
	for k, r := range x.items {
		if replaced || !listed[k] && r.Header().Revision <= b.Revision.Number {
			x.set(k, nil)
		}
	}
}

// note takes in what the server wrote itself: a resource, or nil for a deletion.
func (x *index) note(k overlay.Key, r overlay.Resource, at overlay.Revision) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at.Incarnation != x.revision.Incarnation {
		x.drop() // the watch will come to it
		return
	}
	switch {
	case r == nil && x.known(k) < at.Number:
		x.set(k, nil)
		if at.Number > x.revision.Number {
			x.gone[k] = at.Number
		}
	case r != nil && r.Header().Revision > max(x.known(k), x.gone[k]):
		x.set(k, r)
		delete(x.gone, k)
	}
	x.announce()
}

func (x *index) known(k overlay.Key) int64 {
	if r := x.items[k]; r != nil {
		return r.Header().Revision
	}
	return 0
}

func (x *index) set(k overlay.Key, r overlay.Resource) {
	if old := x.items[k]; old != nil {
		x.used.remove(old)
		delete(x.items, k)
	}
	if r != nil {
		x.items[k] = r
		x.used.add(r)
	}
	if r, ok := r.(*overlay.Revocation); ok && x.revoked != nil {
		x.revoked(r)
	}
}

func (x *index) announce() {
	close(x.news)
	x.news = make(chan struct{})
}

// get returns a resource, which is shared and not to be changed, or nil.
func (x *index) get(k overlay.Key) overlay.Resource {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.items[k]
}

// lookup is get for a known type; nil when there is none.
func lookup[T any, P interface {
	*T
	overlay.Resource
}](x *index, k overlay.Key) P {
	r, _ := x.get(k).(P)
	return r
}

// list returns what the interest covers, in the order of kinds, networks and
// names, and the revision it is of.
func (x *index) list(in store.Interest) ([]overlay.Resource, overlay.Revision) {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := []overlay.Resource{}
	for _, r := range x.items {
		if in.Covers(r) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, byKey)
	return list, x.revision
}

func byKey(a, b overlay.Resource) int {
	j, k, kinds := a.Key(), b.Key(), overlay.Kinds()
	return cmp.Or(
		cmp.Compare(slices.Index(kinds, j.Kind), slices.Index(kinds, k.Kind)),
		cmp.Compare(j.Network, k.Network),
		cmp.Compare(j.Name, k.Name),
	)
}

// changed waits until the key is at another revision than the given one, 0 for
// none, or the patience is over.
func (x *index) changed(ctx context.Context, k overlay.Key, from int64, patience time.Duration) {
	x.wait(ctx, patience, func() bool { return x.known(k) != from })
}

// reach waits until the index knows how the key was at a revision, or the
// patience is over.
func (x *index) reach(ctx context.Context, k overlay.Key, at int64, patience time.Duration) {
	x.wait(ctx, patience, func() bool {
		return max(x.known(k), x.gone[k], x.revision.Number) >= at
	})
}

// passed waits until the index knows all that the store had at a revision, or the
// patience is over.
func (x *index) passed(ctx context.Context, at overlay.Revision, patience time.Duration) {
	x.wait(ctx, patience, func() bool {
		return x.revision.Incarnation != at.Incarnation || x.revision.Number >= at.Number
	})
}

// wait waits until something is so, or the patience is over, and reports whether it is so.
func (x *index) wait(ctx context.Context, patience time.Duration, until func() bool) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		x.mu.Lock()
		done, news := until(), x.news
		x.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-news:
		case <-late.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
