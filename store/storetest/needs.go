package storetest

import (
	"errors"
	"testing"

	"weft/overlay"
	"weft/store"
)

var needs = []check{
	{"Missing", missing},
	{"InUse", inUse},
	{"NeedMoves", needMoves},
	{"NeedOfSimilarName", similarName},
}

func missing(t *testing.T, s store.Store) {
	e := endpoint("blue", "x", "a", 10)
	want := func(need overlay.Key) {
		t.Helper()
		for _, expect := range []int64{store.Absent, store.Any} {
			got := refused[*store.MissingError](t, s, store.Change{Put: e, Expect: expect})
			if got.Key != e.Key() || got.Need != need {
				t.Errorf("got %+v, want need %s", *got, need)
			}
			if !errors.Is(got, store.ErrNotFound) {
				t.Error("a missing need is no ErrNotFound")
			}
		}
	}
	want(network("blue", 0).Key())
	create(t, s, network("blue", 4097))
	want(node("a", 0).Key())
	create(t, s, node("a", 1))
	e = create(t, s, e)[0]
	e.Spec.Node = "b"
	got := refused[*store.MissingError](t, s, store.Change{Put: e, Expect: e.Revision})
	if got.Need != node("b", 0).Key() {
		t.Errorf("got %+v", *got)
	}
}

func inUse(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, endpoint("blue", "x", "a", 10))[0]
	for _, k := range []overlay.Key{node("a", 0).Key(), network("blue", 0).Key()} {
		want := store.InUseError{Key: k, By: x.Key()}
		if got := refused[*store.InUseError](t, s, store.Change{Delete: k, Expect: store.Any}); *got != want {
			t.Errorf("got %+v, want %+v", *got, want)
		}
	}
	remove(t, s, node("b", 0).Key())
	remove(t, s, x.Key())
	remove(t, s, node("a", 0).Key())
	remove(t, s, network("blue", 0).Key())
}

func needMoves(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, endpoint("blue", "x", "a", 10))[0]
	x.Spec.Node = "b"
	write(t, s, x, x.Revision)
	remove(t, s, node("a", 0).Key())
	refused[*store.InUseError](t, s, store.Change{Delete: node("b", 0).Key(), Expect: store.Any})
}

// similarName: whoever needs a-1 or ab does not need a.
func similarName(t *testing.T, s store.Store) {
	create(t, s, node("a", 1), node("a-1", 2), node("ab", 3))
	create(t, s, network("blue", 4097))
	create(t, s, endpoint("blue", "x", "a-1", 10), endpoint("blue", "y", "ab", 11))
	remove(t, s, node("a", 0).Key())
}
