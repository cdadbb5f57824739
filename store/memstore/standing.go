package memstore

import (
	"context"

	"weft/overlay"
	"weft/store"
)

var _ store.Ledger = (*Store)(nil)

// Standing implements [store.Ledger].
func (s *Store) Standing(context.Context) (store.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stands(), nil
}

func (s *Store) stands() store.Standing {
	now := s.standing
	now.Revision = s.at()
	return now
}

// Stand implements [store.Ledger].
func (s *Store) Stand(_ context.Context, was, next store.Standing) (store.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was.Version != s.standing.Version || was.Revision.Incarnation != s.incarnation {
		return store.Standing{}, store.ErrStanding
	}
	next.Version = was.Version + 1
	s.standing = next
	if next.Revision.Incarnation != s.incarnation {
		s.incarnation = next.Revision.Incarnation
		s.wake()
	}
	return s.stands(), nil
}

// Seen implements [store.Ledger]: this process has seen what there is.
func (s *Store) Seen() overlay.Revision { return overlay.Revision{} }

// Follow implements [store.Ledger].
func (s *Store) Follow(store.Standing) {}
