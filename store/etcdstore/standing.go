package etcdstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/overlay"
	"weft/store"
)

var _ store.Ledger = (*Store)(nil)

// Standing implements [store.Ledger]. A store that was wiped under a running
// server gets its new incarnation here.
func (s *Store) Standing(ctx context.Context) (store.Standing, error) {
	key, fresh := s.keys.incarnation(), rand.Text()
	look := []clientv3.Op{clientv3.OpGet(key), clientv3.OpGet(s.keys.standing())}
	resp, err := s.direct(ctx, transaction{
		when: []clientv3.Cmp{absent(key)},
		then: []clientv3.Op{clientv3.OpPut(key, fresh)},
		look: look,
	})
	if err != nil {
		return store.Standing{}, fmt.Errorf("read standing: %w", err)
	}
	now := store.Standing{}
	if resp.Succeeded {
		now.Revision = overlay.Revision{Incarnation: fresh, Number: resp.Header.Revision}
		return now, nil
	}
	found := sight(look, resp)
	if kv := found.found[s.keys.standing()]; kv != nil {
		if err := json.Unmarshal(kv.Value, &now); err != nil {
			return now, fmt.Errorf("etcd key %s: %w", kv.Key, err)
		}
		now.Version = kv.ModRevision
	}
	now.Revision = overlay.Revision{Incarnation: found.value(key, ""), Number: found.revision}
	return now, nil
}

// Stand implements [store.Ledger].
func (s *Store) Stand(ctx context.Context, was, next store.Standing) (store.Standing, error) {
	document, err := json.Marshal(next)
	if err != nil {
		return store.Standing{}, fmt.Errorf("encode standing: %w", err)
	}
	t := transaction{
		when: []clientv3.Cmp{
			holds(s.keys.incarnation(), was.Revision.Incarnation),
			clientv3.Compare(clientv3.ModRevision(s.keys.standing()), "=", was.Version),
		},
		then: []clientv3.Op{clientv3.OpPut(s.keys.standing(), string(document))},
	}
	if next.Revision.Incarnation != was.Revision.Incarnation {
		t.then = append(t.then, clientv3.OpPut(s.keys.incarnation(), next.Revision.Incarnation))
	}
	resp, err := s.direct(ctx, t)
	switch {
	case err != nil:
		return store.Standing{}, fmt.Errorf("write standing: %w", err)
	case !resp.Succeeded:
		return store.Standing{}, store.ErrStanding
	}
	next.Version, next.Revision.Number = resp.Header.Revision, resp.Header.Revision
	return next, nil
}

// direct makes a transaction whatever incarnation etcd has: unlike request it
// does not hold the answer against what was seen before.
func (s *Store) direct(ctx context.Context, t transaction) (*clientv3.TxnResponse, error) {
	inner, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	timed, cancel := context.WithTimeout(inner, s.timeout)
	defer cancel()
	resp, err := s.kv.Txn(timed).If(t.when...).Then(t.then...).Else(t.look...).Commit()
	if err != nil {
		return nil, classify(ctx, err)
	}
	return resp, nil
}

// Seen implements [store.Ledger].
func (s *Store) Seen() overlay.Revision {
	return overlay.Revision{Incarnation: s.Incarnation(), Number: s.highest.Load()}
}

// Follow implements [store.Ledger]. Watches from the old incarnation end with
// ErrRestored.
func (s *Store) Follow(now store.Standing) {
	incarnation := now.Revision.Incarnation
	if incarnation == s.Incarnation() {
		return
	}
	s.wentBack.Store(false)
	s.highest.Store(0)
	s.incarnation.Store(&incarnation)
}
