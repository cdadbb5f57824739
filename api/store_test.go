package api

import (
	"context"
	"testing"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
	"weft/store/storetest"
)

// remote is a client with the handles that storetest has on the store behind.
type remote struct {
	*Client
	behind *memstore.Store
}

func (r remote) Compact(ctx context.Context) error { return r.behind.Compact(ctx) }
func (r remote) Restore(ctx context.Context) error { return r.behind.Restore(ctx) }

// plain has a server pass on writes as they are.
func plain(s *Server) {
	s.write = func(ctx context.Context, _ identity.Identity, r request) (overlay.Resource, overlay.Revision, error) {
		return s.update(ctx, r.Change)
	}
}

func openRemote(prepare func(*Server)) storetest.Factory {
	return func(t *testing.T) store.Store {
		w := newWorld(t)
		behind := memstore.New(memstore.Options{Now: storetest.Now})
		w.store = behind
		h := w.serve(t, nil, prepare)
		return remote{w.client(t, overlay.RoleAdmin, "root", h), behind}
	}
}

// judged has a server judge and complete what is written, but for changes of
// networks and the removal of nodes: the suite changes VNIs, which people cannot,
// and counts writes, of which a removal makes one more.
func judged(s *Server) {
	s.patience = 10 * time.Millisecond // the suite expects much that never was
	s.write = func(ctx context.Context, id identity.Identity, r request) (overlay.Resource, overlay.Revision, error) {
		if _, ok := r.Put.(*overlay.Network); ok || r.Delete.Kind == overlay.KindNode {
			return s.update(ctx, r.Change)
		}
		return s.change(ctx, id, r)
	}
}

// The client keeps the store's contract through a server that passes everything
// on, and through one that judges it.
func TestClientIsAStore(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, openRemote(plain))
		storetest.Blocks(t, openRemote(plain))
	})
	t.Run("judged", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, openRemote(judged))
	})
}
