package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

const (
	// pageSize is how many keys are read at once, so that a long list is in
	// memory once and not twice.
	pageSize = 500
	// batchSize is how many single keys are read at once; etcd's limit on the
	// operations of a transaction is 128.
	batchSize = 100
)

// list is everything the interest covers, at one revision.
func (s *Store) list(ctx context.Context, in store.Interest) (store.Batch, error) {
	for {
		at, err := s.current(ctx)
		if err != nil {
			return store.Batch{}, err
		}
		l := lister{Store: s, in: in, revision: at.Number}
		err = l.collect(ctx)
		if errors.Is(err, errCompacted) {
			continue // a compaction overtook it
		}
		rules.Sort(l.found)
		return store.Batch{Revision: at, Reset: true, Puts: l.found}, err
	}
}

// current is the store's revision now. It is ErrRestored if etcd has another
// incarnation than this store.
func (s *Store) current(ctx context.Context) (overlay.Revision, error) {
	incarnation := s.Incarnation()
	resp, err := s.get(ctx, s.keys.incarnation())
	switch {
	case err != nil:
		return overlay.Revision{}, err
	case len(resp.Kvs) == 0 || string(resp.Kvs[0].Value) != incarnation:
		return overlay.Revision{}, store.ErrRestored
	}
	return overlay.Revision{Incarnation: incarnation, Number: resp.Header.Revision}, nil
}

// get makes one read.
func (s *Store) get(ctx context.Context, key string, opts ...clientv3.OpOption) (resp *clientv3.GetResponse, err error) {
	err = s.request(ctx, func(ctx context.Context) (*pb.ResponseHeader, error) {
		if resp, err = s.kv.Get(ctx, key, opts...); err != nil {
			return nil, err
		}
		return resp.Header, nil
	})
	return resp, err
}

// lister collects what an interest covers at a revision.
type lister struct {
	*Store
	in       store.Interest
	revision int64
	found    []overlay.Resource
}

func (l *lister) collect(ctx context.Context) error {
	if l.in.Node != "" {
		keys, err := l.owned(ctx)
		if err != nil {
			return err
		}
		if err := l.fetch(ctx, keys); err != nil {
			return err
		}
	}
	for _, prefix := range l.ranges() {
		if err := l.pages(ctx, prefix, l.take); err != nil {
			return err
		}
	}
	return nil
}

// ranges lists the prefixes beneath which the interest has resources, but for
// those that are found by their node.
func (l *lister) ranges() []string {
	var prefixes []string
	for _, kind := range overlay.Kinds() {
		switch {
		case !covers(l.in, kind), ofNode(kind) && l.in.Node != "":
		case kind.Networked() && len(l.in.Networks) > 0:
			networks := slices.Compact(slices.Sorted(slices.Values(l.in.Networks)))
			for _, n := range networks {
				prefixes = append(prefixes, l.keys.network(kind, n))
			}
		default:
			prefixes = append(prefixes, l.keys.kind(kind))
		}
	}
	return prefixes
}

// covers reports whether the interest has the kind at all.
func covers(in store.Interest, kind overlay.Kind) bool {
	if len(in.Kinds) == 0 {
		return !kind.OnlyNamed()
	}
	return slices.Contains(in.Kinds, kind)
}

// ofNode reports whether an interest in a node limits the kind. These kinds need
// their node, and so are found under it.
func ofNode(kind overlay.Kind) bool {
	return kind == overlay.KindEndpoint || kind == overlay.KindBlock || kind == overlay.KindTunnel
}

// owned lists the keys that the interest covers of its node's resources.
func (l *lister) owned(ctx context.Context) ([]overlay.Key, error) {
	node := overlay.Key{Kind: overlay.KindNode, Name: string(l.in.Node)}
	var keys []overlay.Key
	err := l.pages(ctx, l.keys.users(node), func(kv *mvccpb.KeyValue) error {
		k, ok := l.keys.user(node, string(kv.Key))
		if ok && ofNode(k.Kind) && l.in.CoversKey(k) {
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// fetch takes single resources.
func (l *lister) fetch(ctx context.Context, keys []overlay.Key) error {
	for some := range slices.Chunk(keys, batchSize) {
		var look []clientv3.Op
		for _, k := range some {
			look = append(look, clientv3.OpGet(l.keys.resource(k), clientv3.WithRev(l.revision)))
		}
		resp, err := l.commit(ctx, transaction{look: look})
		if err != nil {
			return err
		}
		for _, kv := range sight(look, resp).found {
			if err := l.take(kv); err != nil {
				return err
			}
		}
	}
	return nil
}

// pages calls take with everything beneath a prefix.
func (l *lister) pages(ctx context.Context, prefix string, take func(*mvccpb.KeyValue) error) error {
	for next, more := prefix, true; more; {
		resp, err := l.get(ctx, next, clientv3.WithRange(end(prefix)), clientv3.WithLimit(pageSize), clientv3.WithRev(l.revision))
		if err != nil {
			return err
		}
		for _, kv := range resp.Kvs {
			if err := take(kv); err != nil {
				return err
			}
			next = string(kv.Key) + "\x00"
		}
		more = resp.More
	}
	return nil
}

// take adds a resource if the interest covers it.
func (l *lister) take(kv *mvccpb.KeyValue) error {
	r, err := l.decode(kv)
	if err == nil && r != nil && l.in.Covers(r) {
		l.found = append(l.found, r)
	}
	return err
}

// decode returns the resource in a key and value; nil if it is something else.
func (s *Store) decode(kv *mvccpb.KeyValue) (overlay.Resource, error) {
	k, ok := s.keys.parse(string(kv.Key))
	if !ok {
		return nil, nil
	}
	r, err := rules.Decode(k.Kind, kv.Value, kv.ModRevision)
	if err != nil {
		return nil, fmt.Errorf("etcd key %s: %w", kv.Key, err)
	}
	return r, nil
}
