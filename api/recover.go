package api

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// RecoverRequest decides what becomes of a store that was wiped or restored.
type RecoverRequest struct {
	// From is where what the store lacks comes from: "nodes" puts back what the
	// nodes have, "store" takes the store as it is.
	From string `json:"from"`
	// Wait is how long nodes have for telling, such as "1m" [30s].
	Wait Duration `json:"wait,omitempty"`
}

const (
	fromNodes = "nodes"
	fromStore = "store"
	// defaultWait is long enough for every node that is there: agents ask every
	// second, or every ten when no server answered before.
	defaultWait = 30 * time.Second
	// gatherEvery paces the look whether all have told.
	gatherEvery = 100 * time.Millisecond
)

// recoverStore makes the decision.
func (s *Server) recoverStore(w http.ResponseWriter, r *http.Request, id identity.Identity) error {
	if s.Ledger == nil {
		return errNoLedger
	}
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	var request RecoverRequest
	if err := ReadJSON(w, r, &request); err != nil {
		return err
	}
	if request.Wait < 0 {
		return Invalid("", "wait %s: want more than nothing", time.Duration(request.Wait))
	}
	var now store.Standing
	var err error
	switch request.From {
	case fromStore:
		now, err = s.accept(r.Context(), id)
	case fromNodes:
		if request.Wait == 0 {
			request.Wait = Duration(defaultWait)
		}
		now, err = s.gather(r.Context(), id, time.Duration(request.Wait))
	default:
		return Invalid("", "from %.40q: want nodes or store", request.From)
	}
	if err == nil {
		err = s.ready(r.Context()) // so that who decided can go on at once
	}
	if err != nil {
		return err
	}
	return WriteJSON(w, now)
}

// accept takes the store as it is.
func (s *Server) accept(ctx context.Context, id identity.Identity) (store.Standing, error) {
	return s.amend(ctx, func(now *store.Standing) error {
		if now.Phase == store.Sound {
			return &Error{Code: CodeConflict, Message: "the store is relied upon already: there is nothing to accept"}
		}
		s.decide(now, "taken as it is by "+id.String())
		return nil
	})
}

func (s *Server) decide(now *store.Standing, reason string) {
	now.Phase, now.Run, now.Reason, now.Since = store.Sound, "", reason, s.Now().UTC().Round(0)
}

// gather has the nodes put back what the store lacks: first what is their own, then
// what they know of nodes that have not told. Each node has the wait for each.
func (s *Server) gather(ctx context.Context, id identity.Identity, wait time.Duration) (store.Standing, error) {
	run := rand.Text()
	_, err := s.amend(ctx, func(now *store.Standing) error {
		if now.Phase == store.Sound {
			s.hold(now, "recovery was asked for by "+id.String())
		}
		now.Phase, now.Run = store.TakingOwn, run
		nodes := map[overlay.NodeName]store.Told{}
		for name := range now.Nodes {
			nodes[name] = store.Told{}
		}
		for _, name := range s.index.nodes() {
			nodes[name] = store.Told{}
		}
		now.Nodes = nodes
		return nil
	})
	if err != nil {
		return store.Standing{}, err
	}
	told, err := s.await(ctx, run, wait, func(t store.Told) bool { return t.Own })
	if err != nil {
		return told, err
	}
	if _, err := s.advance(ctx, run, func(now *store.Standing) error {
		now.Phase = store.TakingOthers
		nodes := maps.Clone(now.Nodes)
		some := false
		for name, t := range nodes {
			t.Conflicts = nil // they are told again, when all of what is in the way may have gone
			nodes[name], some = t, some || t.Own
		}
		now.Nodes = nodes
		if !some {
			return &Error{
				Code: CodeUnavailable, Message: "no node has told within " + wait.String() + " what it has",
				Hint: "start their agents and try again, or take the store as it is: weft store recover --accept",
			}
		}
		return nil
	}); err != nil {
		return told, err
	}
	if told, err = s.await(ctx, run, wait, func(t store.Told) bool { return t.Others || !t.Own }); err != nil {
		return told, err
	}
	return s.advance(ctx, run, func(now *store.Standing) error {
		now.FromNodes = true
		s.decide(now, "put back from the nodes by "+id.String())
		return nil
	})
}

// advance amends the standing if the recovery is still the one under way.
func (s *Server) advance(ctx context.Context, run string, change func(*store.Standing) error) (store.Standing, error) {
	return s.amend(ctx, func(now *store.Standing) error {
		if now.Run != run {
			return &Error{Code: CodeConflict, Message: "another decision came in between", Hint: "weft store show"}
		}
		return change(now)
	})
}

// await waits until every node has told, or for the given time. As long as no node
// is known, none can have told.
func (s *Server) await(ctx context.Context, run string, wait time.Duration, has func(store.Told) bool) (store.Standing, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	tick := time.NewTicker(gatherEvery)
	defer tick.Stop()
	for {
		now, err := s.Ledger.Standing(ctx)
		if err != nil {
			return now, err
		}
		all := len(now.Nodes) > 0 || now.Run != run
		for _, t := range now.Nodes {
			all = all && has(t)
		}
		if all {
			return now, nil
		}
		select {
		case <-tick.C:
		case <-over.C:
			return now, nil
		case <-s.stopping:
			return now, &Error{Code: CodeUnavailable, Message: "the server is stopping", Hint: "try again"}
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}
