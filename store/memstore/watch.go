package memstore

import (
	"context"
	"sort"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// Watch implements [store.Store].
func (s *Store) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	for ctx.Err() == nil {
		batch, news, err := s.after(in, from)
		if err != nil {
			return err
		}
		if batch.Reset || len(batch.Puts)+len(batch.Deletes) > 0 {
			if err := deliver(batch); err != nil {
				return err
			}
		}
		from = batch.Revision
		select {
		case <-news:
		case <-ctx.Done():
		}
	}
	return nil
}

// after returns what happened after a revision, and a channel that is closed
// when there is more.
func (s *Store) after(in store.Interest, from overlay.Revision) (store.Batch, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := store.Batch{Revision: s.at()}
	switch {
	case !from.IsZero() && (from.Incarnation != s.incarnation || from.Number > s.revision):
		return b, nil, store.ErrRestored
	case from.Number < s.floor:
		b.Reset, b.Puts = true, s.content.list(in)
	default:
		b.Puts, b.Deletes = rules.Fold(s.events(in, from.Number))
	}
	return b, s.news, nil
}

func (c content) list(in store.Interest) []overlay.Resource {
	var list []overlay.Resource
	for _, i := range c.items {
		if in.Covers(i.resource) {
			list = append(list, i.resource)
		}
	}
	rules.Sort(list)
	return list
}

// events are the changes after a revision as the interest sees them.
func (s *Store) events(in store.Interest, from int64) []rules.Event {
	covered := func(r overlay.Resource) bool { return r != nil && in.Covers(r) }
	var events []rules.Event
	next := sort.Search(len(s.history), func(i int) bool { return s.history[i].revision > from })
	for _, c := range s.history[next:] {
		e := rules.Event{Key: c.key, Before: covered(c.before)}
		if covered(c.after) {
			e.After = c.after
		}
		if e.Before || e.After != nil {
			events = append(events, e)
		}
	}
	return events
}
