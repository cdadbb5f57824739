package memstore

import (
	"bytes"
	"context"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	k, err := rules.Key(c)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Put == nil {
		if err := s.remove(k, c); err != nil {
			return nil, overlay.Revision{}, err
		}
		return nil, s.at(), nil
	}
	after, err := s.put(k, c)
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	// The writer's own copy: it may change it and write it again.
	r, err := rules.Decode(k.Kind, after.document, after.revision())
	return r, s.at(), err
}

func (s *Store) put(k overlay.Key, c store.Change) (item, error) {
	old := s.content.items[k]
	if err := rules.Expect(k, old.revision(), c.Expect); err != nil {
		return item{}, err
	}
	document, err := rules.Write(old.document, c, s.now())
	if err != nil {
		return item{}, err
	}
	if bytes.Equal(document, old.document) {
		return old, nil
	}
	resource, err := rules.Decode(k.Kind, document, s.revision+1)
	if err != nil {
		return item{}, err
	}
	if err := s.content.admit(resource); err != nil {
		return item{}, err
	}
	after := item{document: document, resource: resource}
	s.content.replace(k, old, after)
	s.record(change{key: k, before: old.resource, after: resource})
	return after, nil
}

func (s *Store) remove(k overlay.Key, c store.Change) error {
	old, ok := s.content.items[k]
	if !ok {
		return nil
	}
	if err := rules.Expect(k, old.revision(), c.Expect); err != nil {
		return err
	}
	if by := s.content.users[k]; len(by) > 0 {
		return &store.InUseError{Key: k, By: least(by)}
	}
	s.content.replace(k, old, item{})
	s.record(change{key: k, before: old.resource})
	return nil
}

// record gives the change the next revision and shows it to the watches.
func (s *Store) record(c change) {
	s.revision++
	c.revision = s.revision
	s.history = append(s.history, c)
	if len(s.history) > s.keep {
		s.floor = s.history[0].revision
		s.history = s.history[1:]
	}
	s.wake()
}

func (i item) revision() int64 {
	if i.resource == nil {
		return 0
	}
	return i.resource.Header().Revision
}

// admit checks that what the resource needs exists and that nobody else holds
// what it claims.
func (c content) admit(r overlay.Resource) error {
	k := r.Key()
	for _, need := range r.Needs() {
		if _, ok := c.items[need]; !ok {
			return &store.MissingError{Key: k, Need: need}
		}
	}
	for _, claim := range r.Claims() {
		if holder, held := c.holders[claim]; held && holder != k {
			return &store.ClaimedError{Claim: claim, Holder: holder, Key: k}
		}
	}
	return nil
}

// replace puts after in old's place; either may be empty.
func (c content) replace(k overlay.Key, old, after item) {
	if old.resource != nil {
		delete(c.items, k)
		for _, claim := range old.resource.Claims() {
			if c.holders[claim] == k { // and not somebody else by now: Together
				delete(c.holders, claim)
			}
		}
		for _, need := range old.resource.Needs() {
			delete(c.users[need], k)
			if len(c.users[need]) == 0 {
				delete(c.users, need)
			}
		}
	}
	if after.resource == nil {
		return
	}
	c.items[k] = after
	for _, claim := range after.resource.Claims() {
		c.holders[claim] = k
	}
	for _, need := range after.resource.Needs() {
		if c.users[need] == nil {
			c.users[need] = map[overlay.Key]bool{}
		}
		c.users[need][k] = true
	}
}

// least is the first key of a set, so that errors are the same each time.
func least(set map[overlay.Key]bool) (first overlay.Key) {
	for k := range set {
		if first.Kind == "" || rules.Compare(k, first) < 0 {
			first = k
		}
	}
	return first
}
