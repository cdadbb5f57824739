package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// Seal keeps, apart from the store, where this server has seen the store last: so
// it notices when that is wiped, or put back.
type Seal interface {
	// Load returns the zero revision when nothing was kept.
	Load() (overlay.Revision, error)
	Save(overlay.Revision) error
}

const (
	// lookEvery paces the look at the store's standing; what another server or
	// an administrator decided is followed after that time.
	lookEvery = time.Second
	// lastLook is how long the look at the end may take.
	lastLook = time.Second
	// maxReplaces is how many incarnations are remembered: the standing has to fit
	// into one value of etcd's, whatever nodes claim to have known.
	maxReplaces = 1000
)

// stand keeps an eye on the store's standing until ctx ends.
func (s *Server) stand(ctx context.Context) error {
	if s.Ledger == nil {
		close(s.looked)
		return nil
	}
	sealed, err := s.Seal.Load()
	if err != nil {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for first := true; ; {
		now, err := s.look(ctx, sealed)
		switch {
		case err == nil && first:
			first = false
			close(s.looked)
		case err != nil && ctx.Err() == nil:
			s.log.Debug("look at the store's standing", "error", err)
		}
		if err == nil {
			sealed = s.seal(sealed, now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
			defer cancel()
			if now, err := s.Ledger.Standing(end); err == nil && now.Covers(sealed) {
				s.seal(sealed, now)
			}
			return nil
		}
	}
}

// look reads the standing, objects to a store that is not the one that was sealed
// or seen, and has the server go on from there.
func (s *Server) look(ctx context.Context, sealed overlay.Revision) (store.Standing, error) {
	now, err := s.Ledger.Standing(ctx)
	if err != nil {
		return now, err
	}
	for _, known := range []overlay.Revision{sealed, s.Ledger.Seen()} {
		if now.Covers(known) {
			continue
		}
		if now, err = s.object(ctx, known, "this server"); err != nil {
			return now, err
		}
	}
	s.follow(now)
	return now, nil
}

// follow has the server go by a standing.
func (s *Server) follow(now store.Standing) {
	s.standingLock.Lock()
	defer s.standingLock.Unlock()
	was := s.standing.Load()
	if was != nil && now.Revision.Incarnation == was.Revision.Incarnation && now.Version < was.Version {
		return // overtaken
	}
	s.standing.Store(&now)
	s.Ledger.Follow(now)
	switch held := now.Phase != store.Sound; {
	case held && (was == nil || was.Phase == store.Sound):
		s.log.Error("nothing is allocated until somebody decides: weft store recover --from-nodes, or --accept", "why", now.Reason)
	case !held && was != nil && was.Phase != store.Sound:
		s.log.Info("the store is relied upon again", "why", now.Reason)
	}
}

// seal keeps where a sound store is, and returns what is kept.
func (s *Server) seal(sealed overlay.Revision, now store.Standing) overlay.Revision {
	if now.Phase != store.Sound || now.Revision == sealed {
		return sealed
	}
	if err := s.Seal.Save(now.Revision); err != nil {
		s.log.Error("where the store is could not be kept; should it be wiped, this server would not notice", "error", err)
		return sealed
	}
	return now.Revision
}

// object puts the store on hold for somebody who knew it otherwise. A new
// incarnation has everybody else notice, too.
func (s *Server) object(ctx context.Context, known overlay.Revision, who string) (store.Standing, error) {
	return s.amend(ctx, func(now *store.Standing) error {
		if now.Covers(known) {
			return errAsItIs
		}
		reason := fmt.Sprintf("the store was wiped or replaced: %s knew it as %s, and it is %s", who, known, now.Revision)
		if known.Incarnation == now.Revision.Incarnation {
			reason = fmt.Sprintf("the store was restored from an older copy: %s knew it at revision %d, and it is at %d", who, known.Number, now.Revision.Number)
		}
		if now.Phase == store.Sound || known.Incarnation == now.Revision.Incarnation {
			s.hold(now, reason)
		}
		now.Replaces = with(now.Replaces, known.Incarnation)
		return nil
	})
}

// hold puts a standing on hold, in a new incarnation.
func (s *Server) hold(now *store.Standing, reason string) {
	now.Replaces = with(now.Replaces, now.Revision.Incarnation)
	now.Base = now.Revision
	now.Revision.Incarnation = rand.Text()
	now.Phase, now.Reason, now.Since = store.Held, reason, s.Now().UTC().Round(0)
	now.FromNodes, now.Run, now.Nodes = false, "", nil
}

// with adds a word to a list; the oldest ones make room for it.
func with(list []string, word string) []string {
	if slices.Contains(list, word) {
		return list
	}
	return append(slices.Clone(list[max(0, len(list)+1-maxReplaces):]), word)
}

// errAsItIs leaves the standing as it is.
var errAsItIs = errors.New("as it is")

// amend changes the standing, and has this server follow. change may be called
// several times, each time with the newest standing, whose slices and maps it
// must not change in place.
func (s *Server) amend(ctx context.Context, change func(*store.Standing) error) (store.Standing, error) {
	for {
		was, err := s.Ledger.Standing(ctx)
		if err != nil {
			return was, err
		}
		next := was
		switch err := change(&next); {
		case errors.Is(err, errAsItIs):
			return was, nil
		case err != nil:
			return was, err
		}
		now, err := s.Ledger.Stand(ctx, was, next)
		if errors.Is(err, store.ErrStanding) {
			continue
		}
		if err != nil {
			return was, err
		}
		s.follow(now)
		return now, nil
	}
}

// allocates reports why a change cannot be made while the store is on hold. What
// claims nothing that others could have is made all the same: nodes register and
// report, and let go of what is theirs; and a node is removed by force, which may be
// the one whose reports keep the store on hold.
func (s *Server) allocates(id identity.Identity, c request) error {
	kind := c.Delete.Kind
	if c.Put != nil {
		kind = c.Put.Key().Kind
	}
	switch {
	case c.Status, kind == overlay.KindToken,
		kind == overlay.KindNode && c.Put != nil && id.Role == overlay.RoleNode,
		kind == overlay.KindNode && c.Put == nil && c.Force,
		kind == overlay.KindEndpoint && c.Put == nil:
		return nil
	}
	return s.sound()
}

// sound reports why the store is not to be relied upon.
func (s *Server) sound() error {
	if s.Ledger == nil {
		return nil
	}
	now := s.standing.Load()
	switch {
	case now == nil || now.Phase == store.Sound && now.Revision.Incarnation != s.index.at().Incarnation:
		return errNotReady // what the index has is of another store
	case now.Phase == store.Sound:
		return nil
	}
	return &Error{
		Code: CodeRestored, Message: now.Reason + "; what it lacks may be in use, so nothing is allocated",
		Hint: "have the nodes tell what they have: weft store recover --from-nodes; or take the store as it is: weft store recover --accept",
	}
}

// mayFollow reports why somebody may not follow the store: to a node, also to one
// that has forgotten what it knew, the absence of what a store on hold lacks would
// be deletion.
func (s *Server) mayFollow(ctx context.Context, id identity.Identity) error {
	if s.Ledger == nil || id.Role != overlay.RoleNode {
		return nil
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.sound()
}

// holdReason is why nothing is allocated; empty when it is.
func (s *Server) holdReason() string {
	if now := s.standing.Load(); now != nil && now.Phase != store.Sound {
		return now.Reason
	}
	return ""
}

// getStanding shows the store's standing.
func (s *Server) getStanding(w http.ResponseWriter, r *http.Request, _ identity.Identity) error {
	if s.Ledger == nil {
		return errNoLedger
	}
	now, err := s.Ledger.Standing(r.Context())
	if err != nil {
		return err
	}
	return WriteJSON(w, now)
}

var errNoLedger = &Error{Code: CodeNotFound, Message: "this server's store has no standing"}
