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

// change is what one revision did to a resource.
type change struct {
	revision int64
	key      overlay.Key
	// existed before the change.
	existed bool
	// after is the resource afterwards, nil when it is gone.
	after overlay.Resource
	// err says why after cannot be read; whoever wants it has to fail.
	err error
}

// changes gives take everything after a revision, in order, until take returns
// an error, which it returns, or the watch breaks: each call has the changes up
// to and with a revision. It returns errCompacted when etcd no longer has them.
func (s *Store) changes(ctx context.Context, from overlay.Revision, take func(list []change, upTo int64) error) error {
	var failed error
	broken := s.stream(ctx, &pb.WatchCreateRequest{
		Key:            []byte(s.keys.root),
		RangeEnd:       []byte(end(s.keys.root)),
		StartRevision:  from.Number + 1,
		ProgressNotify: true,
	}, func(resp *pb.WatchResponse) error {
		failed = s.respond(ctx, from, resp, take)
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

// respond takes one response of etcd's. The first says that the watch was
// created; only then is its revision checked, so that a server which was replaced
// in between is noticed.
func (s *Store) respond(ctx context.Context, from overlay.Revision, resp *pb.WatchResponse, take func([]change, int64) error) error {
	switch {
	case resp.CompactRevision != 0:
		return errCompacted
	case resp.Canceled:
		return fmt.Errorf("%w: etcd: watch cancelled: %s", store.ErrUnavailable, resp.CancelReason)
	case resp.Created:
		return s.check(ctx, from)
	}
	// The header's revision may be ahead of the events while etcd catches up; it
	// is right when there are none (a progress notification).
	upTo := resp.Header.Revision
	var list []change
	for _, e := range resp.Events {
		upTo = e.Kv.ModRevision
		key := string(e.Kv.Key)
		if key == s.keys.incarnation() && string(e.Kv.Value) != from.Incarnation {
			return store.ErrRestored
		}
		if k, ok := s.keys.parse(key); ok {
			list = append(list, changeOf(k, e))
		}
	}
	return take(list, upTo)
}

func changeOf(k overlay.Key, e *mvccpb.Event) change {
	c := change{revision: e.Kv.ModRevision, key: k, existed: true}
	if e.Type == mvccpb.Event_DELETE {
		return c
	}
	c.existed = e.Kv.CreateRevision != e.Kv.ModRevision
	if c.after, c.err = rules.Decode(k.Kind, e.Kv.Value, e.Kv.ModRevision); c.err != nil {
		c.err = fmt.Errorf("etcd key %s: %w", e.Kv.Key, c.err)
	}
	return c
}

// check refuses a revision of another incarnation or of the future.
func (s *Store) check(ctx context.Context, at overlay.Revision) error {
	now, err := s.current(ctx)
	if err != nil {
		return err
	}
	if at.Incarnation != now.Incarnation || at.Number > now.Number {
		return store.ErrRestored
	}
	return nil
}
