package etcdstore

import (
	"context"
	"errors"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// bookmarkEvery is after how many revisions without news a watcher is told the
// revision alone, so that it need not start over when it comes back from where
// it was long ago. It is small beside the history that etcd keeps.
const bookmarkEvery = 1000

// errCaughtUp: the feed has what comes next.
var errCaughtUp = errors.New("caught up with the feed")

// Watch implements [store.Store]. It delivers an empty batch now and then while
// the store changes elsewhere.
func (s *Store) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	inner, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c := &cursor{Store: s, in: in, at: from, told: from.Number, deliver: deliver}
	err = c.follow(inner)
	switch {
	case ctx.Err() != nil:
		return nil
	case inner.Err() != nil:
		return errClosed
	}
	return err
}

// cursor is how far a Watch has come.
type cursor struct {
	*Store
	in      store.Interest
	deliver func(store.Batch) error
	// at is the revision up to which the watcher has everything, told the last
	// one that it was told.
	at   overlay.Revision
	told int64
	// own is what the watcher has of the interest's node.
	own map[overlay.Key]bool
}

// follow lists, if there is nothing to go on from, and watches; again when the
// revision to go on from was compacted.
func (c *cursor) follow(ctx context.Context) error {
	for {
		err := c.start(ctx)
		if err == nil {
			err = c.watch(ctx)
		}
		if !errors.Is(err, errCompacted) {
			return err
		}
		c.at = overlay.Revision{}
	}
}

// start brings the watcher to a revision from which changes can be had.
func (c *cursor) start(ctx context.Context) error {
	c.own = map[overlay.Key]bool{}
	if !c.at.IsZero() {
		if err := c.check(ctx, c.at); err != nil || c.in.Node == "" {
			return err
		}
		l := lister{Store: c.Store, in: c.in, revision: c.at.Number}
		keys, err := l.owned(ctx)
		for _, k := range keys {
			c.own[k] = true
		}
		return err
	}
	batch, err := c.list(ctx, c.in)
	if err != nil {
		return err
	}
	for _, r := range batch.Puts {
		if k := r.Key(); c.byNode(k) {
			c.own[k] = true
		}
	}
	return c.tell(batch)
}

// watch takes everything after c.at: from the feed, or, until the feed has it,
// from etcd.
func (c *cursor) watch(ctx context.Context) error {
	f, leave := c.join(c.at)
	defer leave()
	for {
		err := c.take(ctx, f)
		if errors.Is(err, errBehind) {
			err = c.changes(ctx, c.at, func(list []change, upTo int64) error {
				if err := c.advance(list, upTo); err != nil {
					return err
				}
				if f.reaches(c.at.Number) {
					return errCaughtUp
				}
				return nil
			})
		}
		if !errors.Is(err, errCaughtUp) {
			return err
		}
	}
}

// take takes changes from the feed.
func (c *cursor) take(ctx context.Context, f *feed) error {
	for {
		list, upTo, news, err := f.after(c.at.Number)
		if err != nil {
			return err
		}
		if err := c.advance(list, upTo); err != nil {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// advance tells the watcher what the interest sees of changes.
func (c *cursor) advance(list []change, upTo int64) error {
	var events []rules.Event
	for _, ch := range list {
		if !c.in.CoversKey(ch.key) {
			continue
		}
		if ch.err != nil {
			return ch.err
		}
		if e := c.event(ch); e.Before || e.After != nil {
			events = append(events, e)
		}
	}
	c.at.Number = max(c.at.Number, upTo)
	puts, deletes := rules.Fold(events)
	if len(puts)+len(deletes) == 0 && c.at.Number < c.told+bookmarkEvery {
		return nil
	}
	return c.tell(store.Batch{Revision: c.at, Puts: puts, Deletes: deletes})
}

// event is what the interest sees of a change of a key that it covers.
func (c *cursor) event(ch change) rules.Event {
	e := rules.Event{Key: ch.key, Before: ch.existed}
	if ch.after != nil && c.in.Covers(ch.after) {
		e.After = ch.after
	}
	if c.byNode(ch.key) {
		e.Before = c.own[ch.key]
		if e.After != nil {
			c.own[ch.key] = true
		} else {
			delete(c.own, ch.key)
		}
	}
	return e
}

// byNode reports whether it depends on its node that the interest covers a resource.
func (c *cursor) byNode(k overlay.Key) bool { return c.in.Node != "" && ofNode(k.Kind) }

func (c *cursor) tell(b store.Batch) error {
	c.at, c.told = b.Revision, b.Revision.Number
	return c.deliver(b)
}
