package etcdstore

import (
	"context"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/internal/testenv"
	"weft/store"
	"weft/store/storetest"
)

// compactable adds to a store what the suite needs to compact its history.
type compactable struct{ *Store }

// Compact implements [storetest.Compactor]: etcd and the feed forget.
func (c compactable) Compact(ctx context.Context) error {
	at, err := c.current(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.feed; f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changes, f.floor = nil, f.at
	}
	_, err = c.kv.Compact(ctx, at.Number, clientv3.WithCompactPhysical())
	return err
}

// TestEmbedded runs the contract on an embedded etcd; each check has its own prefix.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	etcd := embedded(t, t.TempDir(), EmbedOptions{})
	factory := func(t *testing.T) store.Store {
		o := Options{Prefix: "/" + testenv.Name(t, "weft"), Now: storetest.Now}
		s, err := open(t.Context(), etcd.kv, etcd.stream, func() error { return nil }, o)
		return opened(t, s, err)
	}
	storetest.Run(t, factory)
	storetest.Blocks(t, factory)
}

// embedded starts an etcd that ends with the test.
func embedded(t testing.TB, dir string, o EmbedOptions) *Embedded {
	t.Helper()
	e, err := Embed(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// opened takes what makes a store, and closes it with the test.
func opened(t testing.TB, s *Store, err error) store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return compactable{s}
}
