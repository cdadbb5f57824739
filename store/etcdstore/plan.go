package etcdstore

import (
	"bytes"
	"fmt"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// plan is how a change is made: by a transaction, which does nothing if
// everything is already as it should be.
type plan struct {
	transaction
	// before and after the change; nil when there is no resource.
	before, after overlay.Resource
	store         *Store
	incarnation   string
	key           overlay.Key
	seen          seen
}

// plan decides, on what was seen, how the change is made or why it is refused.
func (s *Store) plan(k overlay.Key, c store.Change, v seen) (*plan, error) {
	p := &plan{store: s, incarnation: s.Incarnation(), key: k, seen: v}
	if v.value(s.keys.incarnation(), p.incarnation) != p.incarnation {
		return nil, store.ErrRestored
	}
	var document []byte
	var revision int64
	if kv := v.found[s.keys.resource(k)]; kv != nil {
		document, revision = kv.Value, kv.ModRevision
		var err error
		if p.before, err = rules.Decode(k.Kind, document, revision); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	if c.Put == nil && p.before == nil {
		return p, nil
	}
	if err := rules.Expect(k, revision, c.Expect); err != nil {
		return nil, err
	}
	p.look = s.look(k, c, p.before)
	p.when = []clientv3.Cmp{
		holds(s.keys.incarnation(), p.incarnation),
		clientv3.Compare(clientv3.ModRevision(s.keys.resource(k)), "=", revision),
	}
	if c.Put == nil {
		return p, p.remove()
	}
	return p, p.put(c, document)
}

// put writes what the change makes of the stored document.
func (p *plan) put(c store.Change, document []byte) error {
	written, err := rules.Write(document, c, p.store.now())
	if err != nil {
		return err
	}
	if bytes.Equal(written, document) {
		p.after = p.before
		return nil
	}
	if p.after, err = rules.Decode(p.key.Kind, written, 0); err != nil {
		return err
	}
	p.then = append(p.then, clientv3.OpPut(p.store.keys.resource(p.key), string(written)))
	if c.Status {
		return nil // which claims and needs nothing
	}
	if err := p.need(); err != nil {
		return err
	}
	return p.claim()
}

// remove deletes the resource and what it holds, unless somebody needs it.
func (p *plan) remove() error {
	users := p.store.keys.users(p.key)
	if key, used := p.seen.under(users); used {
		by, _ := p.store.keys.user(p.key, key)
		return &store.InUseError{Key: p.key, By: by}
	}
	p.when = append(p.when, absent(users).WithPrefix())
	p.then = append(p.then, clientv3.OpDelete(p.store.keys.resource(p.key)))
	if err := p.need(); err != nil {
		return err
	}
	return p.claim()
}

// need makes the transaction depend on what the resource needs, and records it
// there.
func (p *plan) need() error {
	before, after := of(p.before, overlay.Resource.Needs), of(p.after, overlay.Resource.Needs)
	for _, need := range after {
		resource := p.store.keys.resource(need)
		if p.seen.lacks(resource) {
			return &store.MissingError{Key: p.key, Need: need}
		}
		p.when = append(p.when, clientv3.Compare(clientv3.CreateRevision(resource), ">", 0))
		if !slices.Contains(before, need) {
			p.then = append(p.then, clientv3.OpPut(p.store.keys.need(need, p.key), ""))
		}
	}
	for _, need := range before {
		if !slices.Contains(after, need) {
			p.then = append(p.then, clientv3.OpDelete(p.store.keys.need(need, p.key)))
		}
	}
	return nil
}

// claim makes the transaction depend on who holds what the resource claims, and
// takes and releases claims. Unless something else was seen, what the resource
// claimed before is held by it; a version of Weft that claims more than the last
// one finds that it is not, and then takes it.
func (p *plan) claim() error {
	before, after := of(p.before, overlay.Resource.Claims), of(p.after, overlay.Resource.Claims)
	mine := path(p.key)
	holder := func(key string, c overlay.Claim) string {
		if slices.Contains(before, c) {
			return p.seen.value(key, mine)
		}
		return p.seen.value(key, "")
	}
	for _, c := range after {
		key := p.store.keys.claim(c)
		switch by := holder(key, c); by {
		case mine:
			p.when = append(p.when, holds(key, mine))
		case "":
			p.when = append(p.when, absent(key))
			p.then = append(p.then, clientv3.OpPut(key, mine))
		default:
			other, _ := p.store.keys.parsePath(by)
			return &store.ClaimedError{Claim: c, Holder: other, Key: p.key}
		}
	}
	for _, c := range before {
		key := p.store.keys.claim(c)
		if !slices.Contains(after, c) && holder(key, c) == mine {
			p.when = append(p.when, holds(key, mine))
			p.then = append(p.then, clientv3.OpDelete(key))
		}
	}
	return nil
}

// of lists what a resource claims or needs, each once; nothing for none.
func of[T comparable](r overlay.Resource, list func(overlay.Resource) []T) []T {
	if r == nil {
		return nil
	}
	var once []T
	for _, v := range list(r) {
		if !slices.Contains(once, v) {
			once = append(once, v)
		}
	}
	return once
}

// absent compares: there is nothing at the key. With a range it says so of the
// whole: etcd compares an empty range like a key that does not exist.
func absent(key string) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
}

// holds compares: the key has the value.
func holds(key, value string) clientv3.Cmp {
	return clientv3.Compare(clientv3.Value(key), "=", value)
}
