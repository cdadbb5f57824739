package storetest

import (
	"errors"
	"slices"
	"testing"

	"weft/overlay"
	"weft/store"
)

var standings = []check{
	{"Standing", standing},
	{"StandingOfAnother", standingOfAnother},
}

func stands(t *testing.T, l store.Ledger) store.Standing {
	t.Helper()
	now, err := l.Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// standing is kept beside the incarnation: who changes both has seen both, and a
// watch of the old incarnation ends.
func standing(t *testing.T, s store.Store) {
	l, ok := s.(store.Ledger)
	if !ok {
		t.Log("the store has no standing")
		return
	}
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	w.first()
	a := create(t, s, node("a", 1))[0]
	w.until(a)
	first := stands(t, l)
	if first.Phase != store.Sound || first.Revision.Incarnation != w.at.Incarnation || first.Revision.Number < a.Revision || !first.Covers(w.at) {
		t.Errorf("at first: %+v, the store is at %s", first, w.at)
	}

	next := first
	next.Phase, next.Reason, next.Replaces = store.Held, "a test", []string{first.Revision.Incarnation}
	next.Nodes = map[overlay.NodeName]store.Told{"a": {Own: true, Restored: 2, Conflicts: []string{"one"}}}
	next.Revision.Incarnation = "another"
	held, err := l.Stand(t.Context(), first, next)
	if err != nil {
		t.Fatal(err)
	}
	l.Follow(held)
	if err := w.end(); !errors.Is(err, store.ErrRestored) {
		t.Errorf("a watch of the old incarnation ended with %v, want ErrRestored", err)
	}
	notResumed(t, s, w.at)
	for _, now := range []store.Standing{held, stands(t, l)} {
		if now.Phase != store.Held || now.Reason != "a test" || now.Revision.Incarnation != "another" || now.Version != held.Version ||
			!now.Covers(first.Revision) || now.Covers(overlay.Revision{Incarnation: "third"}) || !slices.Equal(now.Nodes["a"].Conflicts, []string{"one"}) {
			t.Errorf("on hold: %+v", now)
		}
	}
	if _, err := l.Stand(t.Context(), first, next); !errors.Is(err, store.ErrStanding) {
		t.Errorf("stand on what was: %v, want ErrStanding", err)
	}
	sound := held
	sound.Phase = store.Sound
	if sound, err = l.Stand(t.Context(), held, sound); err != nil || sound.Revision.Incarnation != "another" {
		t.Errorf("decided: %+v, %v", sound, err)
	}
	anew := watch(t, s, store.Interest{}, overlay.Revision{})
	same(t, "anew", anew.first(), of(a))
	if anew.at.Incarnation != "another" {
		t.Errorf("the incarnation is %s", anew.at.Incarnation)
	}
}

// standingOfAnother: the standing can be read, and written, after the store became
// another one.
func standingOfAnother(t *testing.T, s store.Store) {
	l, ok := s.(store.Ledger)
	r, restores := s.(Restorer)
	if !ok || !restores {
		t.Log("the store has no standing, or cannot be restored")
		return
	}
	before := stands(t, l)
	if err := r.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := stands(t, l)
	if now.Revision.Incarnation == before.Revision.Incarnation || now.Covers(before.Revision) {
		t.Errorf("restored: %+v, before %s", now, before.Revision)
	}
	if _, err := l.Stand(t.Context(), before, before); !errors.Is(err, store.ErrStanding) {
		t.Errorf("stand on what was: %v, want ErrStanding", err)
	}
	if _, err := l.Stand(t.Context(), now, now); err != nil {
		t.Error(err)
	}
}
