package etcdstore

import (
	"context"
	"errors"
	"sort"
	"sync"

	"weft/overlay"
)

// feedKeeps is how many changes a feed remembers. Who is further behind watches
// etcd until it has caught up.
const feedKeeps = 5000

// errBehind: the feed no longer has what comes after a revision.
var errBehind = errors.New("the feed began after the revision")

// feed is one etcd watch for all watches of a store: with hundreds of agents,
// etcd would otherwise hand every change of every key to each of their watches
// before it goes on. It runs while somebody uses it.
type feed struct {
	incarnation string
	stop        context.CancelFunc
	// users of the feed; Store.mu guards it.
	users int

	mu sync.Mutex
	// changes are those after revision floor up to at, oldest first.
	changes   []change
	floor, at int64
	// ended says why there will be no more.
	ended error
	// news is closed, and replaced, when there is more.
	news chan struct{}
	// keep is how many changes are kept.
	keep int
}

// join returns the feed that can be used from a revision on, or a new one that
// begins there. leave gives it back.
func (s *Store) join(from overlay.Revision) (f *feed, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feed == nil || s.feed.incarnation != from.Incarnation || s.feed.hasEnded() {
		s.feed = s.begin(from)
	}
	f = s.feed
	f.users++
	return f, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.users--; f.users > 0 {
			return
		}
		f.stop()
		if s.feed == f {
			s.feed = nil
		}
	}
}

// begin starts a feed, which Close waits for.
func (s *Store) begin(from overlay.Revision) *feed {
	ctx, cancel := context.WithCancel(context.Background())
	f := &feed{
		incarnation: from.Incarnation, stop: cancel, keep: s.feedKeeps,
		floor: from.Number, at: from.Number, news: make(chan struct{}),
	}
	s.ended.Go(func() {
		defer cancel()
		f.end(s.changes(ctx, from, f.add))
	})
	return f
}

// add appends changes.
func (f *feed) add(list []change, upTo int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes, f.at = append(f.changes, list...), upTo
	if n := len(f.changes) - f.keep; n > 0 {
		f.floor = f.changes[n-1].revision
		f.changes = f.changes[n:]
	}
	f.wake()
	return nil
}

func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = err
	f.wake()
}

func (f *feed) wake() {
	close(f.news)
	f.news = make(chan struct{})
}

func (f *feed) hasEnded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended != nil
}

// reaches reports whether the feed has everything after a revision.
func (f *feed) reaches(from int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return from >= f.floor
}

// after returns the changes after a revision up to and with another, and a
// channel that is closed when there are more.
func (f *feed) after(from int64) (list []change, upTo int64, news <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ended != nil:
		return nil, 0, nil, f.ended
	case from < f.floor:
		return nil, 0, nil, errBehind
	}
	next := sort.Search(len(f.changes), func(i int) bool { return f.changes[i].revision > from })
	return f.changes[next:], f.at, f.news, nil
}
