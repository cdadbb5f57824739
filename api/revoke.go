package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

const (
	// clockMargin is for how much longer than it has to a revocation stays,
	// since servers issue certificates by clocks of their own.
	clockMargin = 24 * time.Hour
	// sweepEvery is the pause between two looks for revocations that have ended.
	sweepEvery = time.Hour
)

func holderOf(role overlay.Role) overlay.Holder {
	if role == overlay.RoleNode {
		return overlay.HolderNode
	}
	return overlay.HolderPerson
}

// revocation is what refuses earlier certificates of the holder, or nil.
func (s *Server) revocation(of overlay.Holder, holder string) *overlay.Revocation {
	k := overlay.Key{Kind: overlay.KindRevocation, Name: overlay.RevocationName(of, holder)}
	return lookup[overlay.Revocation](s.index, k)
}

// epoch is what certificates carry that are issued now to somebody.
func (s *Server) epoch(id identity.Identity) string {
	if r := s.revocation(holderOf(id.Role), id.Name); r != nil {
		return r.Spec.Epoch
	}
	return ""
}

// revoked reports why somebody's certificate is refused although it is good by itself.
func (s *Server) revoked(id identity.Identity) error {
	r := s.revocation(holderOf(id.Role), id.Name)
	if r == nil || r.Spec.Epoch == id.Epoch {
		return nil
	}
	return refusedBy(r, id)
}

func refusedBy(r *overlay.Revocation, id identity.Identity) *Error {
	e := &Error{
		Code:    CodeRevoked,
		Message: fmt.Sprintf("the certificates of %s were revoked at %s", id, r.Spec.Since.Format(time.RFC3339)),
		Hint:    "log in again with a token from weft token create",
	}
	if r.Spec.Of == overlay.HolderNode {
		e.Message = fmt.Sprintf("%s was removed at %s", id, r.Spec.Since.Format(time.RFC3339))
		e.Hint = "to have it back, join again with a token from weft token create: weftd agent --join TOKEN"
	}
	return e
}

// revoke refuses all certificates that were issued to the holder until now, on every
// server. undo takes that back.
func (s *Server) revoke(ctx context.Context, of overlay.Holder, holder string) (undo func() error, err error) {
	was := s.revocation(of, holder)
	now := s.CA.Now().UTC().Truncate(time.Second)
	r := overlay.New(overlay.KindRevocation).(*overlay.Revocation)
	r.Name = overlay.RevocationName(of, holder)
	r.Spec = overlay.RevocationSpec{
		Of: of, Holder: holder, Epoch: rand.Text(),
		Since: now, Until: now.Add(max(s.CA.Lifetime, identity.DefaultLifetime) + clockMargin),
	}
	if err := check(r); err != nil {
		return nil, err
	}
	stored, _, err := s.update(ctx, store.Change{Put: r, Expect: store.Any})
	if err != nil {
		return nil, fmt.Errorf("revoke the certificates of %s %s: %w", of, holder, err)
	}
	return func() error {
		back := store.Change{Delete: r.Key(), Expect: revisionOf(stored)}
		if was != nil {
			back = store.Change{Put: was, Expect: revisionOf(stored)}
		}
		_, _, err := s.update(ctx, back)
		return err
	}, nil
}

// removeNode removes a node for good. Its certificates are refused first: it could
// register again, or attach something, while the rest is removed.
func (s *Server) removeNode(ctx context.Context, c request, expect int64) (overlay.Revision, error) {
	undo, err := s.revoke(ctx, overlay.HolderNode, c.Delete.Name)
	if err != nil {
		return overlay.Revision{}, err
	}
	at, err := s.removeAll(ctx, c.Delete, expect, c.Force)
	var (
		used     *store.InUseError
		conflict *store.ConflictError
	)
	if errors.As(err, &used) || errors.As(err, &conflict) { // somebody was faster
		return at, errors.Join(err, undo())
	}
	return at, err
}

// removeToken removes a token, and by force what was got with it. The token goes
// first: whoever logs in with it before the rest is done gets nothing by that.
func (s *Server) removeToken(ctx context.Context, c request, expect int64) (overlay.Revision, error) {
	at, err := s.removeAll(ctx, c.Delete, expect, false)
	if err == nil && c.Force {
		_, err = s.revoke(ctx, overlay.HolderPerson, c.Delete.Name)
	}
	return at, err
}

// sweep removes the revocations that have ended, now and every so often, until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if s.ready(ctx) == nil {
			s.endRevocations(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// endRevocations removes the revocations of which every certificate has expired.
func (s *Server) endRevocations(ctx context.Context) {
	all, _ := s.index.list(store.Interest{Kinds: []overlay.Kind{overlay.KindRevocation}})
	for _, r := range all {
		if s.CA.Now().Before(r.(*overlay.Revocation).Spec.Until) {
			continue
		}
		_, _, err := s.update(ctx, store.Change{Delete: r.Key(), Expect: revisionOf(r)})
		var conflict *store.ConflictError
		if err != nil && !errors.As(err, &conflict) && ctx.Err() == nil {
			s.log.Warn("remove a revocation that has ended", "resource", r.Key().String(), "error", err, "again", sweepEvery)
		}
	}
}
