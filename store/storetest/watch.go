package storetest

import (
	"context"
	"errors"
	"testing"

	"weft/overlay"
	"weft/store"
)

var watches = []check{
	{"WatchEmpty", watchEmpty},
	{"WatchResetFirst", resetFirst},
	{"WatchInOrder", inOrder},
	{"WatchKinds", byKinds},
	{"WatchNetworks", byNetworks},
	{"WatchNode", byNode},
	{"WatchNodeMoves", nodeMoves},
	{"WatchTokens", tokens},
	{"WatchDeliverFails", deliverFails},
	{"WatchContext", contextEnds},
}

func watchEmpty(t *testing.T, s store.Store) {
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	same(t, "an empty store", w.first(), replica{})
	n := create(t, s, node("a", 1))[0]
	w.until(n)
	same(t, "after a creation", w.has, of(n))
}

func resetFirst(t *testing.T, s store.Store) {
	a, b := create(t, s, node("a", 1))[0], create(t, s, node("b", 2))[0]
	blue, blue2 := create(t, s, network("blue", 4097))[0], create(t, s, network("blue-2", 4098))[0]
	x, y := create(t, s, endpoint("blue", "x", "a", 10))[0], create(t, s, endpoint("blue-2", "y", "b", 10))[0]
	remove(t, s, create(t, s, node("c", 3))[0].Key())
	w := watch(t, s, store.Interest{}, overlay.Revision{})
	same(t, "reset", w.first(), of(a, b, blue, blue2, x, y))
	if w.at.Number <= y.Revision {
		t.Errorf("the Reset is at %s, but a deletion came after %d", w.at, y.Revision)
	}
}

func inOrder(t *testing.T, s store.Store) {
	w := watch(t, s, store.Interest{Kinds: []overlay.Kind{overlay.KindNode}}, overlay.Revision{})
	w.first()
	a := create(t, s, node("a", 1))[0]
	b := create(t, s, node("b", 2))[0]
	a.Spec.UnderlayMTU = 1400
	a = write(t, s, a, a.Revision)
	remove(t, s, b.Key())
	c := create(t, s, node("c", 3))[0]
	w.until(c)
	same(t, "after all changes", w.has, of(a, c))
}

// fleet makes two nodes, two networks, and an endpoint of each node in each.
func fleet(t *testing.T, s store.Store) (nodes []*overlay.Node, networks []*overlay.Network, endpoints []*overlay.Endpoint) {
	t.Helper()
	return create(t, s, node("a", 1), node("b", 2)),
		create(t, s, network("blue", 4097), network("red", 4098)),
		create(t, s, endpoint("blue", "x", "a", 10), endpoint("blue", "y", "b", 11),
			endpoint("red", "x", "a", 10), endpoint("red", "y", "b", 11))
}

// sees follows an interest over the fleet's creation and removal: what it shows
// has to be want(…) after the Reset, the same when it had watched all the
// time, and nothing at the end.
func sees(t *testing.T, s store.Store, in store.Interest, want func([]*overlay.Node, []*overlay.Network, []*overlay.Endpoint) replica) {
	t.Helper()
	live := watch(t, s, in, overlay.Revision{})
	live.first()
	nodes, networks, endpoints := fleet(t, s)
	expected := want(nodes, networks, endpoints)
	same(t, "listed", watch(t, s, in, overlay.Revision{}).first(), expected)
	for len(live.has) < len(expected) {
		live.next()
	}
	same(t, "watched", live.has, expected)
	for _, e := range endpoints {
		remove(t, s, e.Key())
	}
	for _, n := range networks {
		remove(t, s, n.Key())
	}
	for _, n := range nodes {
		remove(t, s, n.Key())
	}
	for len(live.has) > 0 {
		live.next()
	}
}

func byKinds(t *testing.T, s store.Store) {
	sees(t, s, store.Interest{Kinds: []overlay.Kind{overlay.KindNetwork, overlay.KindNode}},
		func(nodes []*overlay.Node, networks []*overlay.Network, _ []*overlay.Endpoint) replica {
			return of(nodes[0], nodes[1], networks[0], networks[1])
		})
}

func byNetworks(t *testing.T, s store.Store) {
	sees(t, s, store.Interest{Networks: []overlay.NetworkName{"red", "none"}},
		func(nodes []*overlay.Node, networks []*overlay.Network, endpoints []*overlay.Endpoint) replica {
			return of(nodes[0], nodes[1], networks[1], endpoints[2], endpoints[3])
		})
}

func byNode(t *testing.T, s store.Store) {
	in := store.Interest{
		Kinds: []overlay.Kind{overlay.KindEndpoint, overlay.KindBlock}, Node: "b",
		Networks: []overlay.NetworkName{"red", "blue"},
	}
	sees(t, s, in, func(_ []*overlay.Node, _ []*overlay.Network, endpoints []*overlay.Endpoint) replica {
		return of(endpoints[1], endpoints[3])
	})
}

// nodeMoves: an endpoint whose node changes leaves the old node's interest.
func nodeMoves(t *testing.T, s store.Store) {
	_, _, endpoints := fleet(t, s)
	own := func(node overlay.NodeName) store.Interest {
		return store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}, Node: node}
	}
	a, b := watch(t, s, own("a"), overlay.Revision{}), watch(t, s, own("b"), overlay.Revision{})
	a.first()
	b.first()
	before := a.now()
	x := endpoints[0]
	x.Spec.Node = "b"
	x = write(t, s, x, x.Revision)
	b.until(x)
	same(t, "node b", b.has, of(x, endpoints[1], endpoints[3]))
	again := resume(t, s, own("a"), before)
	for name, w := range map[string]*watcher{"watching": a, "resuming": again} {
		left := w.next()
		if left.Reset || len(left.Puts) > 0 || len(left.Deletes) != 1 || left.Deletes[0] != x.Key() {
			t.Errorf("node a, %s: got %+v, want a Delete of %s", name, left, x.Key())
		}
	}
	// What it no longer covers is none of its business.
	remove(t, s, x.Key())
	z := create(t, s, endpoint("blue", "z", "a", 20))[0]
	if got := a.next(); len(got.Deletes) > 0 || len(got.Puts) != 1 || got.Puts[0].Key() != z.Key() {
		t.Errorf("node a: got %+v, want a Put of %s alone", got, z.Key())
	}
}

func blocksOfNode(t *testing.T, s store.Store) {
	create(t, s, node("a", 1), node("b", 2))
	create(t, s, network("green", 4097))
	mine := create(t, s, block("green", "a", 1), block("green", "b", 2))[0]
	refused[*store.ClaimedError](t, s, store.Change{Put: &overlay.Block{
		Meta: overlay.Meta{Kind: overlay.KindBlock, Network: "green", Name: "other"}, Spec: mine.Spec,
	}, Expect: store.Absent})
	refused[*store.InUseError](t, s, store.Change{Delete: node("a", 0).Key(), Expect: store.Any})
	in := store.Interest{Kinds: []overlay.Kind{overlay.KindBlock}, Node: "a"}
	w := watch(t, s, in, overlay.Revision{})
	same(t, "blocks of node a", w.first(), of(mine))
	create(t, s, block("green", "b", 3))
	remove(t, s, mine.Key())
	if got := w.next(); len(got.Puts) > 0 || len(got.Deletes) != 1 || got.Deletes[0] != mine.Key() {
		t.Errorf("got %+v, want a Delete of %s", got, mine.Key())
	}
}

// tokens are only given when they are named.
func tokens(t *testing.T, s store.Store) {
	all := watch(t, s, store.Interest{}, overlay.Revision{})
	all.first()
	secret := create(t, s, token("t"))[0]
	a := create(t, s, node("a", 1))[0]
	all.until(a)
	same(t, "watched", all.has, of(a))
	same(t, "listed", watch(t, s, store.Interest{}, overlay.Revision{}).first(), of(a))
	named := watch(t, s, store.Interest{Kinds: []overlay.Kind{overlay.KindToken}}, overlay.Revision{})
	same(t, "named", named.first(), of(secret))
}

func deliverFails(t *testing.T, s store.Store) {
	stop := errors.New("stop")
	if err := s.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(store.Batch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("at the Reset: got %v, want the error of deliver", err)
	}
	create(t, s, node("a", 1))
	err := s.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(b store.Batch) error {
		if !b.Reset {
			return stop
		}
		_, _, err := s.Update(t.Context(), store.Change{Put: node("b", 2), Expect: store.Absent})
		return err
	})
	if !errors.Is(err, stop) {
		t.Errorf("at a change: got %v, want the error of deliver", err)
	}
}

func contextEnds(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Watch(ctx, store.Interest{}, overlay.Revision{}, func(store.Batch) error {
		cancel()
		return nil
	})
	if err != nil {
		t.Errorf("during a watch: %v", err)
	}
	err = s.Watch(ctx, store.Interest{}, overlay.Revision{}, func(store.Batch) error {
		t.Error("delivered after the context had ended")
		return nil
	})
	if err != nil {
		t.Errorf("before a watch: %v", err)
	}
	if r, _, err := s.Update(ctx, store.Change{Put: node("a", 1), Expect: store.Absent}); err == nil {
		t.Errorf("update: got %v, want the context's error", r)
	}
}
