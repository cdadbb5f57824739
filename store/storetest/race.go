package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"weft/overlay"
	"weft/store"
)

var races = []check{
	{"RaceForAddresses", raceForAddresses},
	{"RaceOnOneResource", raceOnOneResource},
	{"RaceCreateAndDelete", raceCreateAndDelete},
}

// raceForAddresses: writers fight for few addresses; at no revision has one two holders.
func raceForAddresses(t *testing.T, s store.Store) {
	const writers, rounds, addresses = 8, 30, 4
	two(t, s)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := watch(t, s, store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}}, overlay.Revision{})
	w.first()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range rounds {
				e := endpoint("blue", fmt.Sprint("e", i), "a", byte(100+i))
				e.Spec.Addresses[0] = address(byte(10 + random.IntN(addresses)))
				c := store.Change{Put: e, Expect: store.Any}
				if random.IntN(3) == 0 {
					c = store.Change{Delete: e.Key(), Expect: store.Any}
				}
				if _, _, err := s.Update(t.Context(), c); err != nil {
					if _, ok := errors.AsType[*store.ClaimedError](err); !ok {
						t.Errorf("writer %d: %v", i, err)
					}
				}
			}
		})
	}
	finished := make(chan overlay.Resource)
	go func() {
		wg.Wait()
		r, _, err := s.Update(t.Context(), store.Change{Put: endpoint("blue", "last", "a", 200), Expect: store.Absent})
		if err != nil {
			t.Error(err)
		}
		finished <- r
	}()
	last := overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "last"}
	for w.has[last] == nil {
		w.next()
		holders := map[overlay.Claim]overlay.Key{}
		for k, r := range w.has {
			for _, claim := range r.Claims() {
				if other, taken := holders[claim]; taken {
					t.Fatalf("at %s, %s has two holders: %s and %s", w.at, claim, k, other)
				}
				holders[claim] = k
			}
		}
	}
	<-finished
	same(t, "in the end", w.has, watch(t, s, w.in, overlay.Revision{}).first())
}

// raceOnOneResource: of writers that expect one revision, one wins; with Any
// everyone does. No change is lost.
func raceOnOneResource(t *testing.T, s store.Store) {
	const writers, rounds = 6, 10
	n := create(t, s, node("a", 1))[0]
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for round := range rounds {
				mine := node("a", 1)
				mine.Spec.UnderlayMTU = 2000 + i*rounds + round
				if _, _, err := s.Update(t.Context(), store.Change{Put: mine, Expect: store.Any}); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	got := watch(t, s, store.Interest{}, overlay.Revision{}).first()[n.Key()]
	if g := got.Header().Generation; g != 1+writers*rounds {
		t.Errorf("generation %d after %d changes", g, writers*rounds)
	}

	var won sync.Map
	for i := range writers {
		wg.Go(func() {
			mine := node("a", 1)
			mine.Spec.UnderlayMTU = 3000 + i
			_, _, err := s.Update(t.Context(), store.Change{Put: mine, Expect: got.Header().Revision})
			if err == nil {
				won.Store(i, true)
			} else if _, ok := errors.AsType[*store.ConflictError](err); !ok {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	if winners != 1 {
		t.Errorf("%d writers won with one revision", winners)
	}
}

// raceCreateAndDelete: an endpoint is created while its node is deleted; one
// of them is refused, so that nothing ever needs what is not there.
func raceCreateAndDelete(t *testing.T, s store.Store) {
	two(t, s)
	for range 20 {
		e, n := endpoint("blue", "x", "b", 10), node("b", 2)
		var created, deleted error
		var wg sync.WaitGroup
		wg.Go(func() { _, _, created = s.Update(t.Context(), store.Change{Put: e, Expect: store.Absent}) })
		wg.Go(func() { _, _, deleted = s.Update(t.Context(), store.Change{Delete: n.Key(), Expect: store.Any}) })
		wg.Wait()
		_, missing := errors.AsType[*store.MissingError](created)
		_, inUse := errors.AsType[*store.InUseError](deleted)
		if !(created == nil && inUse) && !(deleted == nil && missing) {
			t.Fatalf("create: %v; delete: %v", created, deleted)
		}
		remove(t, s, e.Key())
		write(t, s, n, store.Any)
	}
}
