package api

import (
	"context"
	"log/slog"
	"sync"

	"weft/api/identity"
	"weft/overlay"
)

// sessions are the watches that are open, so that those end whose certificates are
// revoked. The holders that were told so are remembered: a log that says it at each
// of their attempts says nothing else.
type sessions struct {
	mu   sync.Mutex
	open map[*session]bool
	told map[string]string // epochs, by the revocation's name
}

type session struct {
	who identity.Identity
	end context.CancelCauseFunc
}

func newSessions() *sessions {
	return &sessions{open: map[*session]bool{}, told: map[string]string{}}
}

// session ends with the request, when the certificate does, and when that is revoked.
func (s *Server) session(ctx context.Context, id identity.Identity) (context.Context, context.CancelFunc) {
	ctx, expire := context.WithTimeoutCause(ctx, id.Expires.Sub(s.CA.Now()), identity.ErrExpired)
	ctx, end := context.WithCancelCause(ctx)
	n := &session{who: id, end: end}
	s.sessions.mu.Lock()
	s.sessions.open[n] = true
	s.sessions.mu.Unlock()
	if err := s.revoked(id); err != nil { // since it was admitted
		end(err)
	}
	return ctx, func() {
		s.sessions.mu.Lock()
		defer s.sessions.mu.Unlock()
		delete(s.sessions.open, n)
		end(nil)
		expire()
	}
}

// cut ends the open watches that a revocation refuses.
func (s *Server) cut(r *overlay.Revocation) {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	for n := range s.sessions.open {
		if holderOf(n.who.Role) == r.Spec.Of && n.who.Name == r.Spec.Holder && n.who.Epoch != r.Spec.Epoch {
			n.end(refusedBy(r, n.who))
		}
	}
}

// revokedLevel is the level at which a refusal is logged of somebody whose certificate
// was revoked: the first one is a warning.
func (s *Server) revokedLevel(id identity.Identity) slog.Level {
	epoch := s.epoch(id)
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	name := overlay.RevocationName(holderOf(id.Role), id.Name)
	if s.sessions.told[name] == epoch {
		return slog.LevelDebug
	}
	s.sessions.told[name] = epoch
	return slog.LevelWarn
}
