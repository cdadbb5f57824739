package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"weft/overlay"
	"weft/store"
)

var resumes = []check{
	{"Resume", resuming},
	{"ResumeAtEnd", resumeAtEnd},
	{"ResumeAfterUpdate", resumeAfterUpdate},
	{"ResumeCompacted", compacted},
	{"ResumeFuture", future},
	{"ResumeOtherIncarnation", otherIncarnation},
	{"Restored", restored},
}

// resuming from any revision gives exactly what was missed.
func resuming(t *testing.T, s store.Store) {
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	w.first()
	start := w.now()
	a := create(t, s, node("a", 1))[0]
	b := create(t, s, node("b", 2))[0]
	w.until(b)
	middle := w.now()
	a.Spec.UnderlayMTU = 1400
	a = write(t, s, a, a.Revision)
	remove(t, s, b.Key())
	c := create(t, s, node("c", 3))[0]
	want := of(a, c)

	missed := func(from past, deletes ...overlay.Key) {
		t.Helper()
		w := resume(t, s, store.Interest{}, from)
		puts, gone := 0, []overlay.Key{}
		for r := w.has[c.Key()]; r == nil; r = w.has[c.Key()] {
			got := w.next()
			if got.Reset {
				t.Fatalf("resumed from %s: got a Reset", from.at)
			}
			puts += len(got.Puts)
			gone = append(gone, got.Deletes...)
		}
		same(t, "resumed from "+from.at.String(), w.has, want)
		for _, k := range deletes {
			if !slices.Contains(gone, k) {
				t.Errorf("resumed from %s: no Delete of %s", from.at, k)
			}
		}
		if puts < 2 || puts > 4 {
			t.Errorf("resumed from %s: %d Puts", from.at, puts)
		}
	}
	missed(start)
	missed(middle, b.Key())
}

// resumeAtEnd: nothing was missed, and the next change is the first delivery.
func resumeAtEnd(t *testing.T, s store.Store) {
	a := create(t, s, node("a", 1))[0]
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	w.first()
	again := resume(t, s, store.Interest{}, w.now())
	b := create(t, s, node("b", 2))[0]
	if got := again.next(); got.Reset || len(got.Puts) != 1 || got.Puts[0].Key() != b.Key() {
		t.Errorf("got %+v, want a Put of %s alone", got, b.Key())
	}
	same(t, "resumed", again.has, of(a, b))
}

// resumeAfterUpdate: what Update returns is a revision to watch from.
func resumeAfterUpdate(t *testing.T, s store.Store) {
	_, at, err := s.Update(t.Context(), store.Change{Put: node("a", 1), Expect: store.Absent})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, s, store.Interest{}, at)
	b := create(t, s, node("b", 2))[0]
	w.until(b)
	same(t, "after the update", w.has, of(b))
}

func compacted(t *testing.T, s store.Store) {
	c, ok := s.(Compactor)
	if !ok {
		t.Log("the store has no Compact")
		return
	}
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	w.first()
	a := create(t, s, node("a", 1))[0]
	b := create(t, s, node("b", 2))[0]
	w.until(b)
	before := w.now()
	for range 3 {
		a.Spec.UnderlayMTU++
		a = write(t, s, a, a.Revision)
	}
	w.until(a)
	if err := c.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	resumed := resume(t, s, store.Interest{}, before)
	same(t, "resumed from a compacted revision", resumed.first(), of(a, b))
	// A watch that is up to date notices nothing.
	b.Spec.UnderlayMTU++
	b = write(t, s, b, b.Revision)
	if got := w.next(); got.Reset {
		t.Errorf("a live watch got %+v", got)
	}
	resumed.until(b)
	same(t, "resumed", resumed.has, of(a, b))
	same(t, "live", w.has, of(a, b))
}

// notResumed checks that a watch from a revision is refused at once, instead of
// waiting for what never comes.
func notResumed(t *testing.T, s store.Store, from overlay.Revision) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	err := s.Watch(ctx, store.Interest{}, from, func(b store.Batch) error {
		t.Errorf("from %s: delivered %+v", from, b)
		return nil
	})
	if !errors.Is(err, store.ErrRestored) {
		t.Errorf("from %s: got %v, want ErrRestored", from, err)
	}
}

// future: a number that the store has not reached means that it went back.
func future(t *testing.T, s store.Store) {
	_, at, err := s.Update(t.Context(), store.Change{Put: node("a", 1), Expect: store.Absent})
	if err != nil {
		t.Fatal(err)
	}
	at.Number += 1000
	notResumed(t, s, at)
	// Nor when somebody else watches, whose stream it might share.
	watch(t, s, store.Interest{}, overlay.Revision{}).first()
	notResumed(t, s, at)
}

func otherIncarnation(t *testing.T, s store.Store) {
	_, at, err := s.Update(t.Context(), store.Change{Put: node("a", 1), Expect: store.Absent})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []overlay.Revision{
		{Incarnation: "another", Number: at.Number}, {Incarnation: "another"}, {Number: at.Number}, {Number: 1},
	} {
		notResumed(t, s, from)
	}
}

func restored(t *testing.T, s store.Store) {
	r, ok := s.(Restorer)
	if !ok {
		t.Log("the store has no Restore")
		return
	}
	a := create(t, s, node("a", 1))[0]
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	w.first()
	if err := r.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); !errors.Is(err, store.ErrRestored) {
		t.Errorf("a live watch ended with %v, want ErrRestored", err)
	}
	notResumed(t, s, w.at)
	anew := watch(t, s, store.Interest{}, overlay.Revision{})
	same(t, "anew", anew.first(), of(a))
	if anew.at.Incarnation == w.at.Incarnation {
		t.Errorf("the incarnation is still %s", w.at.Incarnation)
	}
	_, at, err := s.Update(t.Context(), store.Change{Put: node("b", 2), Expect: store.Absent})
	if err != nil || at.Incarnation != anew.at.Incarnation {
		t.Errorf("update: at %s, error %v; the store is at %s", at, err, anew.at)
	}
}
