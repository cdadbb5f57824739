package memstore

import (
	"context"
	"maps"

	"weft/overlay"
	"weft/store"
	"weft/store/internal/rules"
)

// Together makes changes at once, in their order: all or none, and whoever watches sees all of
// them. So what only one may hold can go from hand to hand, which no order of single changes
// allows. A delete takes along what needs the resource. It returns what was put, as stored.
func (s *Store) Together(ctx context.Context, changes []store.Change) ([]overlay.Resource, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	content, history, revision, floor := s.content.clone(), s.history, s.revision, s.floor
	stored, err := s.together(changes)
	if err != nil {
		s.content, s.history, s.revision, s.floor = content, history, revision, floor
		return nil, err
	}
	return stored, nil
}

func (s *Store) together(changes []store.Change) (stored []overlay.Resource, err error) {
	for _, c := range changes {
		if c.Put == nil {
			continue
		}
		if old := s.content.items[c.Put.Key()].resource; old != nil {
			for _, claim := range old.Claims() {
				delete(s.content.holders, claim)
			}
		}
	}
	for _, c := range changes {
		k, err := rules.Key(c)
		if err != nil {
			return nil, err
		}
		if c.Put == nil {
			if err := s.removeAll(k, c); err != nil {
				return nil, err
			}
			continue
		}
		after, err := s.put(k, c)
		if err == nil {
			err = s.content.admit(after.resource) // also what is as it was
		}
		if err != nil {
			return nil, err
		}
		for _, claim := range after.resource.Claims() {
			s.content.holders[claim] = k
		}
		r, err := rules.Decode(k.Kind, after.document, after.revision())
		if err != nil {
			return nil, err
		}
		stored = append(stored, r)
	}
	return stored, nil
}

// removeAll removes a resource after those that need it.
func (s *Store) removeAll(k overlay.Key, c store.Change) error {
	for user := range maps.Clone(s.content.users[k]) {
		if err := s.removeAll(user, store.Change{Delete: user, Expect: store.Any}); err != nil {
			return err
		}
	}
	return s.remove(k, c)
}

// clone is a copy that nothing changes.
func (c content) clone() content {
	users := make(map[overlay.Key]map[overlay.Key]bool, len(c.users))
	for k, by := range c.users {
		users[k] = maps.Clone(by)
	}
	return content{items: maps.Clone(c.items), holders: maps.Clone(c.holders), users: users}
}
