package storetest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/overlay"
	"weft/store"
)

var updates = []check{
	{"Create", creating},
	{"Expect", expecting},
	{"Generation", generation},
	{"UID", uid},
	{"SameAgain", sameAgain},
	{"StatusAlone", statusAlone},
	{"SpecKeepsStatus", specKeepsStatus},
	{"StatusOfNothing", statusOfNothing},
	{"Delete", deleting},
	{"BadKey", badKey},
	{"OwnCopy", ownCopy},
}

func creating(t *testing.T, s store.Store) {
	sent := node("a", 1)
	sent.UID, sent.Generation, sent.Revision, sent.Created = "mine", 9, 9, Now().AddDate(1, 0, 0)
	n := write(t, s, sent, store.Absent)
	if n.UID == "" || n.UID == "mine" || n.Generation != 1 || n.Revision < 1 {
		t.Errorf("got UID %q, generation %d, revision %d", n.UID, n.Generation, n.Revision)
	}
	if !n.Created.Equal(Now()) {
		t.Errorf("created at %v, want %v", n.Created, Now())
	}
	if diff := cmp.Diff(sent.Spec, n.Spec, byValue); diff != "" {
		t.Errorf("spec: want (-), got (+)\n%s", diff)
	}
	// The next one is later, and in the same incarnation.
	_, first, err := s.Update(t.Context(), store.Change{Put: node("b", 2), Expect: store.Absent})
	if err != nil {
		t.Fatal(err)
	}
	m, second, err := s.Update(t.Context(), store.Change{Put: node("c", 3), Expect: store.Absent})
	if err != nil {
		t.Fatal(err)
	}
	if first.Number <= n.Revision || second.Number <= first.Number || first.Incarnation != second.Incarnation {
		t.Errorf("revision %d was followed by %s and %s", n.Revision, first, second)
	}
	if m.Header().Revision != second.Number {
		t.Errorf("the resource is at %d, the store that it was just written to at %s", m.Header().Revision, second)
	}
}

func expecting(t *testing.T, s store.Store) {
	n := node("a", 1)
	conflict := func(c store.Change, have int64) {
		t.Helper()
		want := &store.ConflictError{Key: n.Key(), Have: have, Expected: c.Expect}
		if got := refused[*store.ConflictError](t, s, c); *got != *want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	conflict(store.Change{Put: n, Expect: 1}, 0)
	first := write(t, s, n, store.Any).Revision
	conflict(store.Change{Put: n, Expect: store.Absent}, first)
	n.Spec.UnderlayMTU = 1400
	second := write(t, s, n, first).Revision
	conflict(store.Change{Put: n, Expect: first}, second)
	conflict(store.Change{Put: n, Expect: first, Status: true}, second)
	conflict(store.Change{Delete: n.Key(), Expect: first}, second)
	conflict(store.Change{Delete: n.Key(), Expect: store.Absent}, second)
	n.Spec.UnderlayMTU = 1300
	third := write(t, s, n, store.Any).Revision
	if _, _, err := s.Update(t.Context(), store.Change{Delete: n.Key(), Expect: third}); err != nil {
		t.Error(err)
	}
	conflict(store.Change{Put: n, Expect: third}, 0)
}

func generation(t *testing.T, s store.Store) {
	n := write(t, s, node("a", 1), store.Absent)
	uid := n.UID
	for want := int64(2); want < 5; want++ {
		n.Spec.UnderlayMTU++
		last := n.Revision
		n = write(t, s, n, last)
		if n.Generation != want || n.Revision <= last || n.UID != uid || !n.Created.Equal(Now()) {
			t.Errorf("change %d after revision %d: got %+v", want, last, n.Meta)
		}
	}
}

func uid(t *testing.T, s store.Store) {
	seen := map[string]bool{}
	for range 3 {
		n := write(t, s, node("a", 1), store.Absent)
		if seen[n.UID] || n.Generation != 1 {
			t.Errorf("made anew: got UID %s, generation %d; UIDs so far %v", n.UID, n.Generation, seen)
		}
		seen[n.UID] = true
		remove(t, s, n.Key())
	}
}

func sameAgain(t *testing.T, s store.Store) {
	n := write(t, s, node("a", 1), store.Absent)
	n.Status.Version = "1"
	n = change[*overlay.Node](t, s, store.Change{Put: n, Expect: store.Any, Status: true})
	for _, c := range []store.Change{
		{Put: node("a", 1), Expect: store.Any},
		{Put: n, Expect: n.Revision},
		{Put: n, Expect: n.Revision, Status: true},
	} {
		if again := change[*overlay.Node](t, s, c); !reflect.DeepEqual(again, n) {
			t.Errorf("the same again: got %+v, want %+v", again, n)
		}
	}
	c := store.Change{Put: n, Expect: n.Revision - 1}
	refused[*store.ConflictError](t, s, c)
}

func statusAlone(t *testing.T, s store.Store) {
	n := write(t, s, node("a", 1), store.Absent)
	report := node("a", 7)
	report.Status = overlay.NodeStatus{Seen: Now(), Version: "2", Networks: []overlay.NetworkReport{{Network: "blue", Wanted: 3}}}
	got := change[*overlay.Node](t, s, store.Change{Put: report, Expect: store.Any, Status: true})
	want := *n
	want.Status, want.Revision = report.Status, got.Revision
	if diff := cmp.Diff(&want, got, byValue); diff != "" {
		t.Errorf("want (-), got (+)\n%s", diff)
	}
	if got.Revision <= n.Revision {
		t.Errorf("revision %d, then %d", n.Revision, got.Revision)
	}
	// The claims are still those of the spec.
	create(t, s, node("b", 7))
	refused[*store.ClaimedError](t, s, store.Change{Put: node("c", 1), Expect: store.Absent})
}

func specKeepsStatus(t *testing.T, s store.Store) {
	n := node("a", 1)
	n.Status.Version = "at creation"
	n = write(t, s, n, store.Absent)
	if n.Status.Version != "" {
		t.Errorf("a write of the spec wrote status %+v", n.Status)
	}
	n.Status.Version = "2"
	n = change[*overlay.Node](t, s, store.Change{Put: n, Expect: n.Revision, Status: true})
	n.Status.Version = "3"
	n.Spec.UnderlayMTU = 9000
	n = write(t, s, n, n.Revision)
	if n.Status.Version != "2" || n.Spec.UnderlayMTU != 9000 || n.Generation != 2 {
		t.Errorf("got %+v", n)
	}
}

func statusOfNothing(t *testing.T, s store.Store) {
	for _, expect := range []int64{store.Absent, store.Any} {
		_, _, err := s.Update(t.Context(), store.Change{Put: node("a", 1), Expect: expect, Status: true})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("expecting %d: got %v, want ErrNotFound", expect, err)
		}
	}
	refused[*store.ConflictError](t, s, store.Change{Put: node("a", 1), Expect: 5, Status: true})
}

func deleting(t *testing.T, s store.Store) {
	n := write(t, s, node("a", 1), store.Absent)
	gone := remove(t, s, n.Key())
	if gone.Number <= n.Revision {
		t.Errorf("deleted at %s, after revision %d", gone, n.Revision)
	}
	// Deleting what is absent succeeds, whatever the writer has seen, and changes nothing.
	for _, expect := range []int64{store.Any, store.Absent, n.Revision} {
		r, at, err := s.Update(t.Context(), store.Change{Delete: n.Key(), Expect: expect})
		if err != nil || r != nil || at != gone {
			t.Errorf("delete again, expecting %d: got %v at %s, error %v; want nothing at %s", expect, r, at, err, gone)
		}
	}
}

func badKey(t *testing.T, s store.Store) {
	for _, c := range []store.Change{
		{},
		{Delete: overlay.Key{Kind: "Nothing", Name: "a"}},
		{Delete: overlay.Key{Kind: overlay.KindEndpoint, Name: "a"}},
		{Delete: overlay.Key{Kind: overlay.KindEndpoint, Network: "blue/x", Name: "a"}},
		{Delete: overlay.Key{Kind: overlay.KindNode, Network: "blue", Name: "a"}},
		{Put: node("", 1)},
		{Put: node("a/b", 1)},
		{Put: &overlay.Node{Meta: overlay.Meta{Name: "a"}}},
	} {
		if r, _, err := s.Update(t.Context(), c); err == nil {
			t.Errorf("%+v: got %v, want an error", c, r)
		}
	}
}

// ownCopy: a writer may change what it sent and what it got.
func ownCopy(t *testing.T, s store.Store) {
	sent := node("a", 1)
	got := write(t, s, sent, store.Absent)
	sent.Spec.Underlay[0] = node("a", 99).Spec.Underlay[0]
	got.Spec.Underlay[0] = node("a", 98).Spec.Underlay[0]
	replica := watch(t, s, store.Interest{}, overlay.Revision{}).first()
	if n := replica[sent.Key()].(*overlay.Node); !reflect.DeepEqual(n.Spec, node("a", 1).Spec) {
		t.Errorf("the store has %+v", n.Spec)
	}
	create(t, s, node("b", 99), node("c", 98))
}
