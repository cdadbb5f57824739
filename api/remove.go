package api

import (
	"context"
	"errors"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// remove deletes a resource with what goes with it: the blocks of a network or
// node that has no endpoints, the stations behind a segment port, and everything
// of a node that is removed by force.
func (s *Server) remove(ctx context.Context, id identity.Identity, c request, _ avoid) (overlay.Resource, overlay.Revision, error) {
	k := c.Delete
	old, have, err := s.judged(ctx, k, c.Expect)
	var conflict *store.ConflictError
	if errors.As(err, &conflict) && conflict.Have == 0 {
		err = nil // it is gone already, if the store says so too
	}
	if err == nil {
		err = s.revoked(id)
	}
	if err == nil {
		err = mayDelete(id, k, old, s.nodeOf(id))
	}
	if err == nil && c.Force && k.Kind == overlay.KindToken && k.Name == id.Name {
		err = Forbidden("another administrator can", "%s would revoke its own certificate", id)
	}
	if err == nil {
		err = s.allocates(id, c)
	}
	if err == nil && old != nil && !c.Force {
		err = s.index.unused(k)
	}
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	var at overlay.Revision
	switch k.Kind {
	case overlay.KindNode:
		at, err = s.removeNode(ctx, c, c.Expect)
	case overlay.KindToken:
		at, err = s.removeToken(ctx, c, c.Expect)
	default:
		at, err = s.removeAll(ctx, k, have, false)
	}
	if errors.As(err, &conflict) && c.Expect == store.Any {
		s.index.changed(ctx, k, have, s.patience)
		return nil, at, errOvertaken
	}
	return nil, at, err
}

// removeAll deletes a resource, and as long as the store says that it is still
// needed, what goes with it. It ends, because each round removes something.
func (s *Server) removeAll(ctx context.Context, k overlay.Key, expect int64, force bool) (overlay.Revision, error) {
	for {
		_, at, err := s.update(ctx, store.Change{Delete: k, Expect: expect})
		var used *store.InUseError
		if !errors.As(err, &used) || !goesWith(k, used.By, force) {
			return at, err
		}
		_, err = s.removeAll(ctx, used.By, store.Any, force)
		if errors.As(err, &used) {
			return at, &store.InUseError{Key: k, By: used.By}
		}
		if err != nil {
			return at, err
		}
	}
}

// goesWith reports whether by, which needs k, is removed when k is.
func goesWith(k, by overlay.Key, force bool) bool {
	switch by.Kind {
	case overlay.KindBlock:
		return true // a share of a network, or of a node, without endpoints is nothing
	case overlay.KindEndpoint:
		return force || k.Kind == overlay.KindEndpoint || k.Kind == overlay.KindTunnel // a station behind it
	case overlay.KindTunnel:
		return force
	}
	return false
}

// unused reports which endpoint or tunnel still needs a network or node, before anything
// that goes with them is removed in vain.
func (x *index) unused(k overlay.Key) error {
	if k.Kind != overlay.KindNetwork && k.Kind != overlay.KindNode {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var by overlay.Resource
	uses := func(r overlay.Resource, network overlay.NetworkName, node overlay.NodeName) {
		needed := k.Kind == overlay.KindNetwork && string(network) == k.Name || k.Kind == overlay.KindNode && string(node) == k.Name
		if needed && (by == nil || byKey(r, by) < 0) {
			by = r
		}
	}
	for n, u := range x.used.networks {
		if k.Kind == overlay.KindNetwork && string(n) != k.Name {
			continue
		}
		for _, e := range u.endpoints {
			uses(e, n, e.Spec.Node)
		}
	}
	for node, tunnels := range x.used.tunnels {
		for _, t := range tunnels {
			uses(t, t.Network, node)
		}
	}
	if by == nil {
		return nil
	}
	return &store.InUseError{Key: k, By: by.Key()}
}
