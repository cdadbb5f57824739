// Package memstore is the store in memory: the smallest that keeps the whole
// contract of [store.Store], for tests and for tools that need no disk.
//
// One mutex guards everything. An Update appends to the history; a Watch is a
// cursor into it and delivers outside the lock. The history is bounded: a
// cursor that fell out of it starts over with a Reset.
//
// Do not add persistence: that is what etcd is for.
package memstore

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"weft/overlay"
	"weft/store"
)

// Options change how a Store works.
type Options struct {
	// Now is the time of creations [time.Now].
	Now func() time.Time
	// History is how many changes a watch can be resumed over [10,000].
	History int
}

const defaultHistory = 10_000

// Store keeps resources in memory.
type Store struct {
	now     func() time.Time
	keep    int
	mu      sync.Mutex
	content content
	// revision is the number of the last change; incarnation is what it counts in.
	incarnation string
	revision    int64
	standing    store.Standing
	// history has the changes after revision floor, oldest first.
	history []change
	floor   int64
	// news is closed, and replaced, when something changes.
	news chan struct{}
}

var _ store.Store = (*Store)(nil)

// content is what is stored.
type content struct {
	items map[overlay.Key]item
	// holders has who holds each claim, users who needs each resource.
	holders map[overlay.Claim]overlay.Key
	users   map[overlay.Key]map[overlay.Key]bool
}

type item struct {
	document []byte
	resource overlay.Resource
}

// change is one entry of the history. Before and after are nil where there was
// no resource.
type change struct {
	revision      int64
	key           overlay.Key
	before, after overlay.Resource
}

// New returns an empty store.
func New(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.History == 0 {
		o.History = defaultHistory
	}
	return &Store{
		now:  o.Now,
		keep: o.History,
		content: content{
			items:   map[overlay.Key]item{},
			holders: map[overlay.Claim]overlay.Key{},
			users:   map[overlay.Key]map[overlay.Key]bool{},
		},
		incarnation: rand.Text(),
		revision:    1,
		floor:       1,
		news:        make(chan struct{}),
	}
}

// Compact forgets all changes so far, so that older revisions get a Reset.
func (s *Store) Compact(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history, s.floor = nil, s.revision
	return nil
}

// Restore makes the store another incarnation, as a restore from a backup does.
func (s *Store) Restore(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incarnation = rand.Text()
	s.wake()
	return nil
}

// wake tells the watches to look.
func (s *Store) wake() {
	close(s.news)
	s.news = make(chan struct{})
}

func (s *Store) at() overlay.Revision {
	return overlay.Revision{Incarnation: s.incarnation, Number: s.revision}
}
