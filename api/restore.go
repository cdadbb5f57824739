package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"weft/overlay"
	"weft/store"
)

// putBack writes what a node tells, unless it is there already, and reports whether
// it had to. What is there otherwise, or is claimed by something else, is left:
// the error says so. Only what a node's own later word replaces is changed.
func (s *Server) putBack(ctx context.Context, t *telling, r overlay.Resource) (bool, error) {
	for range writeTries {
		if err := s.revoked(t.id); err != nil {
			return false, err // since it was admitted
		}
		have := s.index.get(r.Key())
		if have != nil && (same(have, r) || !t.newer(r, have)) {
			return false, differs(have, r)
		}
		put, err := s.wholeOf(ctx, t, r)
		if err != nil {
			return false, err
		}
		_, _, err = s.update(ctx, store.Change{Put: put, Expect: revisionOf(have)})
		var conflict *store.ConflictError
		var missing *store.MissingError
		switch {
		case errors.As(err, &conflict):
			s.index.changed(ctx, conflict.Key, conflict.Expected, s.patience)
			continue
		case errors.As(err, &missing) && missing.Need.Kind == overlay.KindBlock:
			s.index.changed(ctx, missing.Need, revisionOf(s.index.get(missing.Need)), s.patience)
			continue
		}
		return err == nil, err
	}
	return false, store.ErrUnavailable
}

// wholeOf is the resource as the store is to have it.
func (s *Server) wholeOf(ctx context.Context, t *telling, r overlay.Resource) (overlay.Resource, error) {
	switch r := r.(type) {
	case *overlay.Node:
		n := *r
		if n.Name == t.id.Name {
			n.Spec.Instance = t.id.Instance
		}
		return &n, check(&n)
	case *overlay.Endpoint:
		e := *r
		e.Spec.Blocks = nil
		n, err := s.networkOf(ctx, &e)
		if err != nil {
			return nil, err
		}
		if err := fits(&e, nil, n); err != nil {
			return nil, err
		}
		return &e, s.checkAddresses(ctx, &e, n)
	case *overlay.Network:
		if r.Spec.VNI == 0 {
			return nil, Invalid("", "%s: no VNI is told, and servers give every network one", r.Key())
		}
	case *overlay.Block:
		n, err := s.networkOf(ctx, r)
		if err != nil {
			return nil, err
		}
		return r, isShare(r, n)
	}
	return r, check(r)
}

// isShare reports why a block is none that servers make: claims tell blocks of one
// length apart, and no others.
func isShare(b *overlay.Block, n *overlay.Network) error {
	p := b.Spec.Prefix
	f := overlay.FamilyOf(p.Addr())
	subnet, ok := n.Spec.Subnet(f)
	if !ok || n.Spec.Kind != overlay.Routed || p.Bits() != n.Spec.BlockBits(f) || !subnet.Contains(p.Addr()) || b.Name != overlay.BlockName(p) {
		return Invalid("", "%s: %s is no node's share of network %s", b.Key(), p, n.Name)
	}
	return nil
}

// newer reports whether what the node says of its own is later than what an older
// copy of the store has.
func (t *telling) newer(r, have overlay.Resource) bool {
	owner := ownerOf(have)
	return owner != "" && owner == ownerOf(r) && string(owner) == t.id.Name && r.Key().Kind != overlay.KindNode &&
		t.later() && have.Header().Revision <= t.now.Base.Number && r.Header().Revision > have.Header().Revision
}

// later reports whether the node knew the store at a later time than the copy is of.
func (t *telling) later() bool {
	return !t.Known.IsZero() && t.Known.Incarnation == t.now.Base.Incarnation && t.Known.Number >= t.now.Base.Number
}

// same reports whether two resources of one key agree in all that others rely on:
// a node's record is its own affair, and of a network what cannot be changed counts.
func same(have, told overlay.Resource) bool {
	switch have := have.(type) {
	case *overlay.Node:
		return true
	case *overlay.Network:
		n, ok := told.(*overlay.Network)
		return ok && (changeable(n, have) == nil || changeable(have, n) == nil)
	case *overlay.Block:
		b, ok := told.(*overlay.Block)
		return ok && b.Spec == have.Spec
	case *overlay.Endpoint:
		e, ok := told.(*overlay.Endpoint)
		return ok && text(e.Spec) == text(have.Spec)
	case *overlay.Tunnel:
		t, ok := told.(*overlay.Tunnel)
		return ok && text(t.Spec) == text(have.Spec)
	}
	return false
}

// text tells specs apart: a list that is empty is one that is not there.
func text(spec any) string {
	b, err := json.Marshal(spec)
	if err != nil {
		return err.Error() // which is equal to nothing
	}
	return string(b)
}

// differs is the conflict between what is there and what was told, if there is one.
func differs(have, told overlay.Resource) error {
	if same(have, told) {
		return nil
	}
	return &store.ConflictError{Key: have.Key(), Have: have.Header().Revision}
}

// forget removes of the node's own what an older copy of the store has, and the
// node, which knows the store of a later time, no longer has.
func (s *Server) forget(ctx context.Context, t *telling) error {
	if !t.later() {
		return nil
	}
	old, _ := s.index.list(store.Interest{
		Kinds: []overlay.Kind{overlay.KindBlock, overlay.KindTunnel, overlay.KindEndpoint}, Node: overlay.NodeName(t.id.Name),
	})
	slices.Reverse(old) // endpoints before tunnels and blocks
	slices.SortStableFunc(old, func(a, b overlay.Resource) int { return isStation(b) - isStation(a) })
	for _, r := range old {
		k, revision := r.Key(), r.Header().Revision
		if t.has[k] || revision > t.now.Base.Number {
			continue
		}
		_, _, err := s.update(ctx, store.Change{Delete: k, Expect: revision})
		var inUse *store.InUseError
		var conflict *store.ConflictError
		if err != nil && !errors.As(err, &inUse) && !errors.As(err, &conflict) {
			return err
		}
	}
	return nil
}

// nodes are the names of all nodes.
func (x *index) nodes() []overlay.NodeName {
	list, _ := x.list(store.Interest{Kinds: []overlay.Kind{overlay.KindNode}})
	var names []overlay.NodeName
	for _, r := range list {
		names = append(names, overlay.NodeName(r.Key().Name))
	}
	return names
}
