package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// request is a change that somebody asks for.
type request struct {
	store.Change
	// Force has a node removed with all that it has, and a token with the
	// certificates that were got with it.
	Force bool
}

const (
	// indexLag is how long the index may take to come to a change that the
	// store, or somebody who read from it, knows of already.
	indexLag = 200 * time.Millisecond
	// writeTries is how often a write that somebody else overtook is made again.
	writeTries = 20
)

var (
	// errOvertaken has a write made again: what it was judged by has changed.
	errOvertaken = errors.New("overtaken")
	// errTaken has a write made again with other choices. That cannot go on
	// for ever, because there is always one choice less.
	errTaken = errors.New("taken")
)

// change makes a change for somebody: it checks whether they may, fills in what
// they left open, and has the store write it on the condition that all of that
// is still so.
func (s *Server) change(ctx context.Context, id identity.Identity, c request) (overlay.Resource, overlay.Revision, error) {
	attempt := s.put
	if c.Put == nil {
		attempt = s.remove
	}
	a := avoid{}
	for tries := 0; tries < writeTries; {
		r, at, err := attempt(ctx, id, c, a)
		switch {
		case errors.Is(err, errOvertaken):
			tries++
		case !errors.Is(err, errTaken):
			return r, at, err
		}
	}
	return nil, overlay.Revision{}, fmt.Errorf("%w: others kept changing what the request needs", store.ErrUnavailable)
}

// update has the store make a change, and notes it.
func (s *Server) update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	r, at, err := s.Store.Update(ctx, c)
	if err != nil {
		return nil, at, err
	}
	k := c.Delete
	if c.Put != nil {
		k = c.Put.Key()
	}
	s.index.note(k, r, at)
	return r, at, nil
}

// judged returns what a change to the key is judged by: the resource as the
// server knows it, and the revision that the store has to find for the
// judgement to hold.
func (s *Server) judged(ctx context.Context, k overlay.Key, expect int64) (overlay.Resource, int64, error) {
	if expect == store.Absent {
		return nil, store.Absent, nil
	}
	if expect != store.Any {
		s.index.reach(ctx, k, expect, s.patience)
	}
	r := s.index.get(k)
	have := revisionOf(r)
	if expect != store.Any && have != expect {
		return nil, 0, &store.ConflictError{Key: k, Have: have, Expected: expect}
	}
	return r, have, nil
}

func revisionOf(r overlay.Resource) int64 {
	if r == nil {
		return 0
	}
	return r.Header().Revision
}

func (s *Server) put(ctx context.Context, id identity.Identity, c request, a avoid) (overlay.Resource, overlay.Revision, error) {
	k := c.Put.Key()
	old, have, err := s.judged(ctx, k, c.Expect)
	if err == nil {
		err = s.revoked(id)
	}
	if err == nil {
		err = mayPut(id, c.Put, old, s.nodeOf(id))
	}
	if err == nil {
		err = s.allocates(id, c)
	}
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	if c.Status {
		return s.update(ctx, c.Change)
	}
	d := &draft{avoid: a}
	defer d.release()
	put, err := s.complete(ctx, id, c.Put, old, d)
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	r, at, err := s.update(ctx, store.Change{Put: put, Expect: have})
	return r, at, s.overtaken(ctx, c, d, err)
}

// overtaken tells the errors after which a write can be made again from those
// that are the requester's.
func (s *Server) overtaken(ctx context.Context, c request, d *draft, err error) error {
	var (
		conflict *store.ConflictError
		claimed  *store.ClaimedError
		missing  *store.MissingError
	)
	switch {
	case errors.As(err, &conflict) && c.Expect == store.Any:
		s.index.changed(ctx, conflict.Key, conflict.Expected, s.patience)
		return errOvertaken
	case errors.As(err, &claimed) && d.chose[claimed.Claim]:
		d.avoid[claimed.Claim] = true
		return errTaken
	case errors.As(err, &missing) && missing.Need.Kind == overlay.KindBlock:
		s.index.changed(ctx, missing.Need, revisionOf(s.index.get(missing.Need)), s.patience)
		return errOvertaken
	}
	return err
}

// nodeOf is the record of the node that the caller is, or nil.
func (s *Server) nodeOf(id identity.Identity) *overlay.Node {
	if id.Role != overlay.RoleNode {
		return nil
	}
	return lookup[overlay.Node](s.index, overlay.Key{Kind: overlay.KindNode, Name: id.Name})
}

// complete returns the resource with all that the request left open, checked.
func (s *Server) complete(ctx context.Context, id identity.Identity, put, old overlay.Resource, d *draft) (overlay.Resource, error) {
	switch r := put.(type) {
	case *overlay.Node:
		was, _ := old.(*overlay.Node)
		return completeNode(id, *r, was)
	case *overlay.Network:
		was, _ := old.(*overlay.Network)
		return s.completeNetwork(*r, was, d)
	case *overlay.Endpoint:
		was, _ := old.(*overlay.Endpoint)
		return s.completeEndpoint(ctx, *r, was, d)
	case *overlay.Tunnel:
		return s.completeTunnel(ctx, *r)
	}
	return put, check(put)
}

func check(r overlay.Resource) error {
	if err := r.Validate(); err != nil {
		return &Error{Code: CodeInvalid, Message: err.Error()}
	}
	return nil
}

func completeNode(id identity.Identity, n overlay.Node, old *overlay.Node) (overlay.Resource, error) {
	if n.Spec.VTEPMAC.IsZero() {
		n.Spec.VTEPMAC = overlay.VTEPMACFor(overlay.NodeName(n.Name))
	}
	switch {
	case id.Role == overlay.RoleNode:
		n.Spec.Instance, n.Spec.NetworkPlanes = id.Instance, nil
		if old != nil {
			n.Spec.NetworkPlanes = old.Spec.NetworkPlanes
		}
	case old != nil:
		n.Spec.Instance = old.Spec.Instance
	default:
		n.Spec.Instance = ""
	}
	return &n, check(&n)
}
