package etcdstore

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Keep returns what is kept beneath a name, beside the resources; when nothing
// is, it keeps value first. Of several who try at once one wins, and all get
// its value. Servers share their CA's key this way.
func (s *Store) Keep(ctx context.Context, name string, value []byte) ([]byte, error) {
	inner, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key := s.keys.kept(name)
	t := transaction{
		when: []clientv3.Cmp{absent(key)},
		then: []clientv3.Op{clientv3.OpPut(key, string(value))},
		look: []clientv3.Op{clientv3.OpGet(key)},
	}
	resp, err := s.commit(inner, t)
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", name, err)
	}
	if resp.Succeeded {
		return value, nil
	}
	return []byte(sight(t.look, resp).value(key, "")), nil
}
