package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

// slow is a store whose updates wait for a word.
type slow struct {
	store.Store
	begun, resume chan struct{}
}

func (s slow) Update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	s.begun <- struct{}{}
	select {
	case <-s.resume:
	case <-ctx.Done():
		return nil, overlay.Revision{}, ctx.Err()
	}
	return s.Store.Update(ctx, c)
}

// A server that stops ends watches, but lets a write that has begun finish.
func TestStopLetsWritesFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := slow{w.store, make(chan struct{}), make(chan struct{})}
	w.store = s
	h := w.serve(t, nil)
	c := w.client(t, overlay.RoleAdmin, "root", h)
	watching, watched := make(chan struct{}), make(chan error, 1)
	go func() {
		watched <- c.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(store.Batch) error {
			close(watching)
			return nil
		})
	}()
	<-watching
	wrote := make(chan error, 1)
	go func() { wrote <- try(t, c, network("blue", "", "10.7.0.0/24")) }()
	<-s.begun
	stopped := make(chan struct{})
	go func() { defer close(stopped); h.stop() }()
	isUnavailable(t, <-watched)
	close(s.resume)
	if err := <-wrote; err != nil {
		t.Errorf("the write that had begun: %v", err)
	}
	<-stopped
}

// A store that was restored is noticed; what it has counts from then on.
func TestRestoredStore(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	s := w.store.(interface{ Restore(context.Context) error })
	put(t, admin, endpoint("blue", "web", "a"))
	before, err := admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Whoever asks meanwhile has to wait, and gets what is true.
	put(t, admin, endpoint("blue", "db", "a"))
	if all, _, err := admin.List(t.Context(), overlay.KindEndpoint, "blue", ""); err != nil || len(all) != 2 {
		t.Errorf("list: %v, %v", all, err)
	}
	testenv.Eventually(t, soon, func() error {
		now, err := admin.Status(t.Context())
		if err == nil && (!now.Ready || now.Revision.Incarnation == before.Revision.Incarnation) {
			return errors.New("not yet")
		}
		return err
	}, "the server sees the new incarnation")
	if w.log.count("the store was restored or replaced") != 1 {
		t.Error("it was not logged, or more than once")
	}
}

// The index takes news in any order, and ends with the newest.
func TestIndexOrder(t *testing.T) {
	t.Parallel()
	x := newIndex(nil)
	at := func(n int64) overlay.Revision { return overlay.Revision{Incarnation: "x", Number: n} }
	e := func(revision int64, address string) *overlay.Endpoint {
		e := endpoint("blue", "web", "a", address)
		e.Revision = revision
		return e
	}
	k := e(0, "10.7.0.2").Key()
	check := func(when string, revision int64, taken ...string) {
		t.Helper()
		if got := revisionOf(x.get(k)); got != revision {
			t.Errorf("%s: revision %d, want %d", when, got, revision)
		}
		n := x.used.in("blue")
		if len(n.addresses) != len(taken) || len(n.endpoints) != min(1, int(revision)) {
			t.Errorf("%s: taken %v of %v, want %v", when, n.addresses, n.endpoints, taken)
		}
		for _, a := range taken {
			if !n.addresses.Has(e(0, a).Spec.Addresses[0]) {
				t.Errorf("%s: %s is not taken", when, a)
			}
		}
	}
	x.apply(store.Batch{Revision: at(1), Reset: true})
	x.note(k, e(5, "10.7.0.5"), at(5))
	check("noted", 5, "10.7.0.5")
	x.apply(store.Batch{Revision: at(3), Puts: []overlay.Resource{e(2, "10.7.0.2")}})
	check("an older put", 5, "10.7.0.5")
	x.apply(store.Batch{Revision: at(4), Deletes: []overlay.Key{k}})
	check("an older delete", 5, "10.7.0.5")
	x.apply(store.Batch{Revision: at(4), Reset: true})
	check("an older reset", 5, "10.7.0.5")
	x.note(k, nil, at(7))
	check("deleted", 0)
	x.apply(store.Batch{Revision: at(6), Puts: []overlay.Resource{e(6, "10.7.0.6")}})
	check("a put before the deletion", 0)
	x.apply(store.Batch{Revision: at(9), Puts: []overlay.Resource{e(8, "10.7.0.8")}})
	check("a put after the deletion", 8, "10.7.0.8")
	x.apply(store.Batch{Revision: at(12), Reset: true})
	check("a reset without it", 0)
	if len(x.gone) != 0 {
		t.Errorf("remembered for nothing: %v", x.gone)
	}
	x.forget()
	x.note(k, e(20, "10.7.0.2"), at(20))
	check("noted of an incarnation that was forgotten", 0)
	x.wait(t.Context(), time.Millisecond, func() bool { return false })
}
