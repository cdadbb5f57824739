package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// bookmarkEvery is after how many revisions without news a watcher is told the
// revision alone, so that it need not start over when it comes back from where
// it was long ago. It is small beside the history that etcd keeps.
const bookmarkEvery = 1000

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
		err := c.begin(ctx)
		if err == nil {
			err = c.watch(ctx)
		}
		if !errors.Is(err, errCompacted) {
			return err
		}
		c.at = overlay.Revision{}
	}
}

// begin brings the watcher to a revision from which etcd can be watched.
func (c *cursor) begin(ctx context.Context) error {
	c.own = map[overlay.Key]bool{}
	if !c.at.IsZero() {
		if err := c.check(ctx); err != nil || c.in.Node == "" {
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

// byNode reports whether it depends on its node that the interest covers a resource.
func (c *cursor) byNode(k overlay.Key) bool { return c.in.Node != "" && ofNode(k.Kind) }

func (c *cursor) tell(b store.Batch) error {
	c.at, c.told = b.Revision, b.Revision.Number
	return c.deliver(b)
}

// check refuses a revision of another incarnation or of the future.
func (c *cursor) check(ctx context.Context) error {
	now, err := c.current(ctx)
	if err != nil {
		return err
	}
	if c.at.Incarnation != now.Incarnation || c.at.Number > now.Number {
		return store.ErrRestored
	}
	return nil
}

// watch handles everything after c.at.
func (c *cursor) watch(ctx context.Context) error {
	var failed error
	broken := c.stream(ctx, &pb.WatchCreateRequest{
		Key:            []byte(c.keys.root),
		RangeEnd:       []byte(end(c.keys.root)),
		StartRevision:  c.at.Number + 1,
		ProgressNotify: true,
	}, func(resp *pb.WatchResponse) error {
		failed = c.handle(ctx, resp)
		return failed
	})
	switch {
	case failed != nil:
		return failed
	case broken == nil || errors.Is(broken, io.EOF):
		return fmt.Errorf("%w: etcd ended the watch", store.ErrUnavailable)
	}
	return classify(ctx, broken)
}

// handle takes one response of etcd's. The first says that the watch was
// created; only then is its revision checked, so that a server which was replaced
// in between is noticed.
func (c *cursor) handle(ctx context.Context, resp *pb.WatchResponse) error {
	switch {
	case resp.CompactRevision != 0:
		return errCompacted
	case resp.Canceled:
		return fmt.Errorf("%w: etcd: watch cancelled: %s", store.ErrUnavailable, resp.CancelReason)
	case resp.Created:
		return c.check(ctx)
	}
	events, err := c.events(resp.Events)
	if err != nil {
		return err
	}
	// The header's revision may be ahead of the events while etcd catches up; it
	// is right when there are none (a progress notification).
	number := resp.Header.Revision
	if n := len(resp.Events); n > 0 {
		number = resp.Events[n-1].Kv.ModRevision
	}
	c.at.Number = max(c.at.Number, number)
	puts, deletes := rules.Fold(events)
	if len(puts)+len(deletes) == 0 && c.at.Number < c.told+bookmarkEvery {
		return nil
	}
	return c.tell(store.Batch{Revision: c.at, Puts: puts, Deletes: deletes})
}

// events is what the interest sees of etcd's events.
func (c *cursor) events(all []*mvccpb.Event) ([]rules.Event, error) {
	var events []rules.Event
	for _, e := range all {
		key := string(e.Kv.Key)
		if key == c.keys.incarnation() && string(e.Kv.Value) != c.at.Incarnation {
			return nil, store.ErrRestored
		}
		k, ok := c.keys.parse(key)
		if !ok || !c.in.CoversKey(k) {
			continue
		}
		event, err := c.event(k, e)
		if err != nil {
			return nil, err
		}
		if event.Before || event.After != nil {
			events = append(events, event)
		}
	}
	return events, nil
}

// event is what the interest sees of a change of a key that it covers.
func (c *cursor) event(k overlay.Key, e *mvccpb.Event) (rules.Event, error) {
	gone := e.Type == mvccpb.Event_DELETE
	event := rules.Event{Key: k, Before: gone || e.Kv.CreateRevision != e.Kv.ModRevision}
	if c.byNode(k) {
		event.Before = c.own[k]
	}
	if !gone {
		r, err := c.decode(e.Kv)
		if err != nil {
			return event, err
		}
		if c.in.Covers(r) {
			event.After = r
		}
	}
	if c.byNode(k) {
		if event.After != nil {
			c.own[k] = true
		} else {
			delete(c.own, k)
		}
	}
	return event, nil
}
