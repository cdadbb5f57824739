package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"weft/api/identity"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

// joined is the client of a host that joins, or of a person who logs in.
func joined(t *testing.T, token NewToken, node overlay.NodeName) *Client {
	t.Helper()
	credentials, err := Join(t.Context(), token.Token, node)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// following watches a store, and gives what is delivered, and how it ended.
func following(t *testing.T, c *Client, in store.Interest) (<-chan store.Batch, <-chan error) {
	t.Helper()
	batches, ended := make(chan store.Batch, 100), make(chan error, 1)
	go func() {
		ended <- c.Watch(t.Context(), in, overlay.Revision{}, func(b store.Batch) error { batches <- b; return nil })
	}()
	<-batches // which it begins with
	return batches, ended
}

// revokedBy reports an error that is no refusal of a revoked certificate.
func revokedBy(t *testing.T, what string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeRevoked || !errors.Is(err, store.ErrRevoked) {
		t.Errorf("%s: got %v, want %s", what, err, CodeRevoked)
	}
}

// cutWithin is how soon open watches of who is removed end.
const cutWithin = time.Second

// A removed node is refused by every server, whatever it asks for, and hears nothing
// of what was removed with it. It joins again under its name, and is a node again.
func TestRemovedNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.serve(t, nil), w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", first)
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	token := newToken(t, second, TokenRequest{})
	a, stray := joined(t, token, "a"), joined(t, token, "a") // the second one finds the name taken
	put(t, a, node("a", 1))
	put(t, a, endpoint("blue", "web", "a"))
	batches, ended := following(t, a, store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}, Node: "a"})

	key := overlay.Key{Kind: overlay.KindNode, Name: "a"}
	if err := admin.Remove(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		revokedBy(t, "open watch", err)
	case <-time.After(cutWithin):
		t.Errorf("a watch is open %v after the removal", cutWithin)
	}
	for len(batches) > 0 {
		if b := <-batches; len(b.Deletes) > 0 {
			t.Errorf("the removed node was told of %v", b.Deletes)
		}
	}
	testenv.Eventually(t, soon, func() error {
		_, err := a.WhoAmI(t.Context())
		if !errors.Is(err, store.ErrRevoked) {
			return errors.Join(errors.New("not refused"), err)
		}
		return nil
	}, "the other server knows")
	for name, c := range map[string]*Client{"the node": a, "who joined under its name": stray} {
		_, _, err := c.List(t.Context(), overlay.KindNode, "", "")
		revokedBy(t, name+" reads", err)
		_, err = c.Status(t.Context())
		revokedBy(t, name+" asks how the server is", err)
		revokedBy(t, name+" registers", try(t, c, node("a", 1)))
		_, err = c.Renew(t.Context())
		revokedBy(t, name+" renews", err)
		revokedBy(t, name+" watches", c.Watch(t.Context(), store.Interest{}, overlay.Revision{}, nil))
		revokedBy(t, name+" detaches", c.Remove(t.Context(), endpoint("blue", "web", "a").Key(), false))
	}
	if n := w.log.count("level=WARN", "node a was removed"); n < 1 || n > 2 {
		t.Errorf("the servers warned %d times, want each once", n)
	}

	again := joined(t, newToken(t, first, TokenRequest{}), "a")
	put(t, again, node("a", 1))
	put(t, again, endpoint("blue", "web", "a"))
	if _, err := again.Renew(t.Context()); err != nil {
		t.Errorf("renew after joining again: %v", err)
	}
	_, err := a.WhoAmI(t.Context())
	revokedBy(t, "the earlier certificate", err)
	if err := admin.Remove(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	_, err = again.WhoAmI(t.Context())
	revokedBy(t, "removed again", err)
	w.restarted(t, second, again)
}

// restarted checks that servers which begin anew refuse somebody, from the first request.
func (w *world) restarted(t *testing.T, h *host, c *Client) {
	t.Helper()
	h.stop()
	fresh := w.serve(t, nil)
	credentials := c.credentials
	credentials.Servers = []string{"https://" + fresh.address}
	late, err := NewClient(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(late.Close)
	_, err = late.WhoAmI(t.Context())
	revokedBy(t, "a server that has just begun", err)
}

// A node that is still in use is not removed, and goes on.
func TestRefusedRemoval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	a := joined(t, newToken(t, h, TokenRequest{}), "a")
	put(t, a, node("a", 1))
	put(t, a, endpoint("blue", "web", "a"))
	c := request{Change: store.Change{Delete: node("a", 1).Key(), Expect: store.Any}}
	var used *store.InUseError
	// As if the endpoint had been attached after the look at what is in use.
	if _, err := h.removeNode(t.Context(), c, c.Expect); !errors.As(err, &used) {
		t.Errorf("got %v, want that it is in use", err)
	}
	if _, err := a.WhoAmI(t.Context()); err != nil {
		t.Errorf("the node that was not removed: %v", err)
	}
	if all, _ := h.index.list(store.Interest{Kinds: []overlay.Kind{overlay.KindRevocation}}); len(all) > 0 {
		t.Errorf("left behind: %v", all[0].Key())
	}
}

// People's certificates are revoked with their token, on demand.
func TestRevokedPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	token := newToken(t, h, TokenRequest{Name: "anna", Role: overlay.RoleReader})
	anna := joined(t, token, "")
	node := joined(t, newToken(t, h, TokenRequest{}), "anna")
	_, ended := following(t, anna, store.Interest{})
	key := overlay.Key{Kind: overlay.KindToken, Name: "anna"}
	if err := admin.Remove(t.Context(), key, false); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.WhoAmI(t.Context()); err != nil {
		t.Errorf("after the token alone was revoked: %v", err)
	}
	if err := admin.Remove(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	revokedBy(t, "open watch", <-ended)
	_, err := anna.WhoAmI(t.Context())
	revokedBy(t, "request", err)
	if _, err := node.WhoAmI(t.Context()); err != nil {
		t.Errorf("the node of that name: %v", err)
	}
	if _, err := joined(t, newToken(t, h, TokenRequest{Name: "anna", Role: overlay.RoleAdmin}), "").WhoAmI(t.Context()); err != nil {
		t.Errorf("logged in again: %v", err)
	}
	root := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindToken, Name: "root"}, true)
	w.refusal(t, root, CodeForbidden, "would revoke its own certificate")
}

// Only servers write revocations, which stay until all that they refuse has expired.
func TestRevocationsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	if err := admin.Remove(t.Context(), node("a", 1).Key(), true); err != nil {
		t.Fatal(err)
	}
	all, _, err := admin.List(t.Context(), overlay.KindRevocation, "", "")
	if err != nil || len(all) != 1 {
		t.Fatalf("revocations %v, %v", all, err)
	}
	r := all[0].(*overlay.Revocation)
	w.refusal(t, try(t, admin, r), CodeForbidden, "only servers make revocations")
	w.refusal(t, admin.Remove(t.Context(), r.Key(), false), CodeForbidden, "only servers remove revocations")
	left := func(at time.Time) int {
		late := *w.ca
		late.Now = func() time.Time { return at }
		s := NewServer(Options{Store: w.store, CA: &late})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if err := s.ready(ctx); err != nil {
			t.Fatal(err)
		}
		s.endRevocations(ctx)
		n, _ := s.index.list(store.Interest{Kinds: []overlay.Kind{overlay.KindRevocation}})
		return len(n)
	}
	if n := left(r.Spec.Since.Add(identity.DefaultLifetime)); n != 1 {
		t.Errorf("%d revocations when the last certificate expires, want 1", n)
	}
	if n := left(r.Spec.Until); n != 0 {
		t.Errorf("%d revocations after that, want none", n)
	}
}
