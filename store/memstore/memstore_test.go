package memstore_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
	"weft/store/storetest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func open(*testing.T) store.Store {
	return memstore.New(memstore.Options{Now: storetest.Now})
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
	storetest.Blocks(t, open)
}

// TestHistoryIsBounded: what fell out of the history gets a Reset, the rest is
// resumed.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{History: 3})
	var at []overlay.Revision
	for i := range 5 {
		c := store.Change{Put: node(byte(i + 1)), Expect: store.Absent}
		r, revision, err := s.Update(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(r.Header().Created); age < 0 || age > time.Minute {
			t.Errorf("created %v ago", age)
		}
		at = append(at, revision)
	}
	for i, want := range []store.Batch{
		{Reset: true, Puts: make([]overlay.Resource, 5)},
		{Puts: make([]overlay.Resource, 3)},
		{Puts: make([]overlay.Resource, 2)},
		{Puts: make([]overlay.Resource, 1)},
	} {
		got := first(t, s, at[i])
		if got.Reset != want.Reset || len(got.Puts) != len(want.Puts) || got.Revision != at[4] {
			t.Errorf("from change %d: got %+v", i, got)
		}
	}
}

func node(n byte) *overlay.Node {
	name := string(rune('a' + n))
	return &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: name},
		Spec: overlay.NodeSpec{
			Underlay: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 24)},
			VTEPMAC:  overlay.VTEPMACFor(overlay.NodeName(name)),
		},
	}
}

// first is the first batch of a watch.
func first(t *testing.T, s store.Store, from overlay.Revision) store.Batch {
	t.Helper()
	var batch store.Batch
	stop := errors.New("stop")
	err := s.Watch(t.Context(), store.Interest{}, from, func(b store.Batch) error {
		batch = b
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return batch
}
