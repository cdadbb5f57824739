package api

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

// memorySeal keeps in memory where the store was.
type memorySeal struct {
	mu sync.Mutex
	at overlay.Revision
}

func (s *memorySeal) Load() (overlay.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, nil
}

func (s *memorySeal) Save(at overlay.Revision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
	return nil
}

func (s *memorySeal) incarnation() string {
	at, _ := s.Load()
	return at.Incarnation
}

// sealed starts a server that keeps the store's standing, with a seal.
func (w *world) sealed(t *testing.T, seal *memorySeal) *host {
	t.Helper()
	return w.serve(t, func(o *Options) { o.Ledger, o.Seal = w.ledger(), seal })
}

func (w *world) ledger() store.Ledger { return w.store.(store.Ledger) }

// at is where the world's store is.
func (w *world) at(t *testing.T) overlay.Revision {
	t.Helper()
	now, err := w.ledger().Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return now.Revision
}

// allocating waits until the server allocates, or until it does not.
func allocating(t *testing.T, c *Client, want bool) {
	t.Helper()
	testenv.Eventually(t, soon, func() error {
		status, err := c.Status(t.Context())
		if err == nil && (!status.Ready || (status.Hold == "") != want) {
			err = errors.New("hold: " + status.Hold)
		}
		return err
	}, "the server allocates or does not")
}

// onHold checks that a refusal is that of a store on hold.
func onHold(t *testing.T, what string, err error, says string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != CodeRestored || !errors.Is(err, store.ErrRestored) ||
		!strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "weft store recover --from-nodes") {
		t.Errorf("%s: %v; want it to say %q and what to do", what, err, says)
	}
}

// A store that a server sees for the first time is the store, whatever it holds.
func TestFirstStartIsSound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := &memorySeal{}, &memorySeal{}
	h := w.sealed(t, first)
	put(t, w.client(t, overlay.RoleAdmin, "root", h), network("blue", "", "10.7.0.0/24"))
	h.stop()
	if at := w.at(t); first.at != at {
		t.Errorf("sealed %s, the store is at %s", first.at, at)
	}
	for _, seal := range []*memorySeal{first, second} {
		h := w.sealed(t, seal)
		put(t, w.client(t, overlay.RoleAdmin, "root", h), network("red", "", "10.8.0.0/24"))
	}
}

// A server that meets another store than it sealed allocates nothing, and goes on
// with what a node on hold needs, until the store is accepted.
func TestWipedStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seal := &memorySeal{}
	h := w.sealed(t, seal)
	token, err := w.client(t, overlay.RoleAdmin, "root", h).CreateToken(t.Context(), TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	before := seal.at

	w.store = memstore.New(memstore.Options{})
	h = w.sealed(t, seal)
	admin, agent := w.client(t, overlay.RoleAdmin, "root", h), w.client(t, overlay.RoleNode, "a", h)
	allocating(t, admin, false)
	const wiped = "the store was wiped or replaced: this server knew it as "
	onHold(t, "create a network", try(t, admin, network("blue", "", "10.7.0.0/24")), wiped)
	onHold(t, "register for somebody", try(t, admin, node("z", 9)), wiped)
	put(t, agent, node("a", 1))
	onHold(t, "attach", try(t, agent, endpoint("blue", "web", "a")), wiped)
	onHold(t, "remove a node", admin.Remove(t.Context(), node("a", 1).Key(), false), wiped)
	if err := agent.Remove(t.Context(), endpoint("blue", "web", "a").Key(), false); err != nil {
		t.Errorf("detach: %v", err)
	}
	if _, err := agent.Renew(t.Context()); err != nil {
		t.Errorf("renew: %v", err)
	}
	if _, err := w.client(t, overlay.RoleNode, "unheard", h).Renew(t.Context()); err != nil {
		t.Errorf("renew for a node that the store lacks: %v", err)
	}
	if token, err = admin.CreateToken(t.Context(), TokenRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err = Join(t.Context(), token.Token, "b")
	onHold(t, "join", err, wiped)
	err = agent.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(store.Batch) error { return errors.New("delivered") })
	onHold(t, "follow", err, wiped)
	if seal.at != before {
		t.Errorf("the seal was changed to %s", seal.at)
	}

	if _, err := agent.Recover(t.Context(), RecoverRequest{From: fromStore}); ErrorOf(err).Code != CodeForbidden {
		t.Errorf("a node decides: %v", err)
	}
	now, err := admin.Recover(t.Context(), RecoverRequest{From: fromStore})
	if err != nil || now.Phase != store.Sound || now.Reason != "taken as it is by admin root" || !now.Covers(before) {
		t.Errorf("accepted: %+v, %v", now, err)
	}
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	put(t, agent, endpoint("blue", "web", "a"))
	testenv.Eventually(t, soon, func() error {
		if seal.incarnation() != now.Revision.Incarnation {
			return errors.New(seal.incarnation())
		}
		return nil
	}, "the new incarnation is sealed")
	h.stop()
	again := w.sealed(t, seal)
	put(t, w.client(t, overlay.RoleAdmin, "root", again), network("red", "", "10.8.0.0/24"))
}

// A store whose number went back was restored from an older copy.
func TestNumberWentBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.at(t)
	at.Number += 100
	admin := w.client(t, overlay.RoleAdmin, "root", w.sealed(t, &memorySeal{at: at}))
	allocating(t, admin, false)
	onHold(t, "create a network", try(t, admin, network("blue", "", "10.7.0.0/24")), "the store was restored from an older copy: this server knew it at revision ")
	now, err := admin.Standing(t.Context())
	if err != nil || now.Revision.Incarnation == at.Incarnation || now.Base.Incarnation != at.Incarnation || !now.Covers(at) {
		t.Errorf("standing %+v, %v", now, err)
	}
}

// What one server finds, or an administrator decides at it, the others follow.
func TestStandingReachesAllServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := w.sealed(t, &memorySeal{}), w.sealed(t, &memorySeal{})
	here, there := w.client(t, overlay.RoleAdmin, "root", one), w.client(t, overlay.RoleAdmin, "root", other)
	allocating(t, here, true)
	allocating(t, there, true)
	agent := w.client(t, overlay.RoleNode, "a", one)
	answer, err := agent.Report(t.Context(), store.Report{Known: overlay.Revision{Incarnation: "earlier", Number: 7}})
	if err != nil || answer.Follow {
		t.Errorf("%+v, %v: a node knew another store", answer, err)
	}
	for _, c := range []*Client{here, there} {
		allocating(t, c, false)
		onHold(t, "create a network", try(t, c, network("blue", "", "10.7.0.0/24")), "node a knew it as earlier@7")
	}
	if _, err := there.Recover(t.Context(), RecoverRequest{From: fromStore}); err != nil {
		t.Fatal(err)
	}
	allocating(t, here, true)
	put(t, here, network("blue", "", "10.7.0.0/24"))
	put(t, there, network("red", "", "10.8.0.0/24"))
	if answer, err = agent.Report(t.Context(), store.Report{Known: overlay.Revision{Incarnation: "earlier", Number: 7}}); err != nil || !answer.Follow {
		t.Errorf("%+v, %v: the node should follow", answer, err)
	}
}

func TestRecoverRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.client(t, overlay.RoleAdmin, "root", w.sealed(t, &memorySeal{}))
	for _, c := range []struct {
		request RecoverRequest
		code    Code
		says    string
	}{
		{RecoverRequest{From: "backup"}, CodeInvalid, `from "backup": want nodes or store`},
		{RecoverRequest{}, CodeInvalid, `from "": want nodes or store`},
		{RecoverRequest{From: fromNodes, Wait: -1}, CodeInvalid, "want more than nothing"},
		{RecoverRequest{From: fromStore}, CodeConflict, "there is nothing to accept"},
		{RecoverRequest{From: fromNodes, Wait: 1}, CodeUnavailable, "no node has told within 1ns what it has"},
	} {
		_, err := admin.Recover(t.Context(), c.request)
		if err == nil || ErrorOf(err).Code != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.request, err, c.says)
		}
	}
	// Nobody told, so nothing is decided.
	onHold(t, "create a network", try(t, admin, network("blue", "", "10.7.0.0/24")), "recovery was asked for by admin root")

	without := w.client(t, overlay.RoleAdmin, "root", w.serve(t, nil))
	if _, err := without.Recover(t.Context(), RecoverRequest{From: fromStore}); ErrorOf(err).Code != CodeNotFound {
		t.Errorf("a store without a standing: %v", err)
	}
}
