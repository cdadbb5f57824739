package etcdstore

import (
	"context"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// transaction is one etcd transaction: if all of when holds, then is done,
// else look is read.
type transaction struct {
	when []clientv3.Cmp
	then []clientv3.Op
	look []clientv3.Op
}

// commit makes the transaction. Without when and then it is a read.
func (s *Store) commit(ctx context.Context, t transaction) (resp *clientv3.TxnResponse, err error) {
	err = s.request(ctx, func(ctx context.Context) (*pb.ResponseHeader, error) {
		txn := s.kv.Txn(ctx)
		if len(t.when) > 0 {
			txn = txn.If(t.when...).Then(t.then...).Else(t.look...)
		} else {
			txn = txn.Then(t.look...)
		}
		if resp, err = txn.Commit(); err != nil {
			return nil, err
		}
		return resp.Header, nil
	})
	return resp, err
}

// seen is what etcd had at one revision, as far as it was asked.
type seen struct {
	revision int64
	asked    map[string]bool
	found    map[string]*mvccpb.KeyValue
}

// sight is what the reads of a transaction found.
func sight(look []clientv3.Op, resp *clientv3.TxnResponse) seen {
	v := seen{revision: resp.Header.Revision, asked: map[string]bool{}, found: map[string]*mvccpb.KeyValue{}}
	for i, op := range resp.Responses {
		v.asked[string(look[i].KeyBytes())] = true
		for _, kv := range op.GetResponseRange().GetKvs() {
			v.found[string(kv.Key)] = kv
		}
	}
	return v
}

// value is what is at a key, "" if nothing is, or what is assumed if it was not
// asked for.
func (v seen) value(key, assumed string) string {
	if kv := v.found[key]; kv != nil {
		return string(kv.Value)
	}
	if v.asked[key] {
		return ""
	}
	return assumed
}

// lacks reports whether there is nothing at a key. What was not asked for may be there.
func (v seen) lacks(key string) bool { return v.asked[key] && v.found[key] == nil }

// under returns a key that was found beneath a prefix.
func (v seen) under(prefix string) (string, bool) {
	for key := range v.found {
		if strings.HasPrefix(key, prefix) {
			return key, true
		}
	}
	return "", false
}
