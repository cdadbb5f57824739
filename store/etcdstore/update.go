package etcdstore

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	k, err := rules.Key(c)
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	inner, leave, err := s.enter(ctx)
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	defer leave()
	r, at, err := s.update(inner, k, c)
	if err != nil && inner.Err() != nil && ctx.Err() == nil {
		err = errClosed
	}
	return r, at, err
}

// update plans a transaction on what was seen last, until one comes through. A
// creation assumes that nothing is there, which saves a read.
func (s *Store) update(ctx context.Context, k overlay.Key, c store.Change) (overlay.Resource, overlay.Revision, error) {
	var view seen
	if c.Put == nil || c.Status || c.Expect != store.Absent {
		look := s.look(k, c, nil)
		resp, err := s.commit(ctx, transaction{look: look})
		if err != nil {
			return nil, overlay.Revision{}, err
		}
		view = sight(look, resp)
	}
	for {
		p, err := s.plan(k, c, view)
		if err != nil {
			return nil, overlay.Revision{}, err
		}
		if len(p.then) == 0 {
			return p.after, overlay.Revision{Incarnation: p.incarnation, Number: view.revision}, nil
		}
		resp, err := s.commit(ctx, p.transaction)
		if err != nil {
			return nil, overlay.Revision{}, err
		}
		if resp.Succeeded {
			at := overlay.Revision{Incarnation: p.incarnation, Number: resp.Header.Revision}
			if p.after != nil {
				p.after.Header().Revision = at.Number
			}
			return p.after, at, nil
		}
		view = sight(p.look, resp)
	}
}

// look lists the reads that the plan of a change relies on. old is the resource
// as far as it is known.
func (s *Store) look(k overlay.Key, c store.Change, old overlay.Resource) []clientv3.Op {
	keys := []string{s.keys.incarnation(), s.keys.resource(k)}
	for _, r := range []overlay.Resource{old, c.Put} {
		if r == nil || c.Status {
			continue
		}
		for _, claim := range r.Claims() {
			keys = append(keys, s.keys.claim(claim))
		}
		for _, need := range r.Needs() {
			keys = append(keys, s.keys.resource(need))
		}
	}
	var ops []clientv3.Op
	asked := map[string]bool{}
	for _, key := range keys {
		if !asked[key] {
			asked[key] = true
			ops = append(ops, clientv3.OpGet(key))
		}
	}
	if c.Put == nil {
		ops = append(ops, clientv3.OpGet(s.keys.users(k), clientv3.WithPrefix(), clientv3.WithLimit(1)))
	}
	return ops
}
