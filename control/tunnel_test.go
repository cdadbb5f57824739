package control

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"weft/overlay"
	"weft/store"
)

func tunnel(network, name, node string, revision int64) *overlay.Tunnel {
	t := &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.TunnelSpec{Node: overlay.NodeName(node), Mode: overlay.TunnelGRETAP, Remote: "203.0.113." + string('0'+rune(revision))},
	}
	if revision > 0 {
		t.UID, t.Generation, t.Revision = name, revision, revision
	}
	return t
}

// TestTableTunnels: an own tunnel that is attached to a network makes the node take part in
// it; one that stands alone, or is another node's, does not.
func TestTableTunnels(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	all := puts(tunnel("", "alone", "a", 1), tunnel("blue", "site", "a", 2))
	if news, _ := table.merge(ownSource, aInterest, all); len(news) != 2 {
		t.Fatalf("news %v", news)
	}
	table.merge(networkSource, blueInterest, puts(tunnel("blue", "site", "a", 2), tunnel("blue", "other", "b", 3)))
	if len(table.own) != 1 || len(table.own["blue"]) != 1 {
		t.Fatalf("own ports: %v", table.own)
	}
	moved := puts(tunnel("blue", "site", "b", 4))
	table.merge(networkSource, blueInterest, moved)
	if _, gone := table.merge(ownSource, aInterest, store.Batch{Revision: at(4), Deletes: []overlay.Key{moved.Puts[0].Key()}}); len(gone) != 0 || len(table.own) != 0 {
		t.Fatalf("after it moved: deleted %v, own ports %v", gone, table.own)
	}
	table.doubt()
	if r := table.entries[all.Puts[0].Key()].resource; r.Header().Revision != 0 || all.Puts[0].Header().Revision != 1 {
		t.Errorf("doubted: %+v, and what was published: %+v", r, all.Puts[0])
	}
	_, gone := table.merge(ownSource, aInterest, store.Batch{Revision: at(5), Reset: true})
	if len(gone) != 1 || gone[0] != all.Puts[0].Key() {
		t.Errorf("after a Reset without it: deleted %v", gone)
	}
}

// TestTunnelIsFollowed: a tunnel has the node watch its network, it is in the cache, and it is
// there again when no server answers.
func TestTunnelIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, path := world(t), cachePath(t)
		put(t, s, tunnel("blue", "site", "a", 0))
		alone := tunnel("", "alone", "a", 0)
		alone.Spec.Remote = "203.0.113.9"
		put(t, s, alone)
		put(t, s, tunnel("", "elsewhere", "b", 0))
		n := start(t, s, path, nil)
		n.expect("full blue[tunnel/site]")
		if got := n.alone(t); !slices.Equal(got, []overlay.TunnelName{"alone"}) {
			t.Errorf("stand alone: %v", got)
		}
		n.stop()
		again := start(t, s, path, func(o *Options) {
			g := newGate(s)
			g.cutOff(store.ErrUnavailable)
			o.Store = g
		})
		pass(again.Offline)
		again.expect("full blue[tunnel/site]")
		if got := again.alone(t); !slices.Equal(got, []overlay.TunnelName{"alone"}) {
			t.Errorf("stand alone, from the cache: %v", got)
		}
		again.stop()
	})
}

// alone are the tunnels that stand alone in the State.
func (n *node) alone(t *testing.T) (names []overlay.TunnelName) {
	t.Helper()
	state, err := n.State(n.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name := range state.Tunnels {
		names = append(names, name)
	}
	return names
}

// newer is a store to which a newer version has written the tunnels of these names.
type newer struct {
	store.Store
	names []string
}

// Watch implements store.Store: what is not understood is missing.
func (n newer) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	return n.Store.Watch(ctx, in, from, func(b store.Batch) error {
		b.Unknown = map[overlay.Key]string{}
		for i, r := range b.Puts {
			if t, ok := r.(*overlay.Tunnel); ok && slices.Contains(n.names, t.Name) {
				c := *t
				c.Spec.Mode = ""
				b.Puts[i], b.Unknown[t.Key()] = &c, `field "later"`
			}
		}
		return deliver(b)
	})
}

// TestTunnelOfANewerVersion: one that stands alone stays as it was known, also over restarts, and is
// not made when it is new; of a network all is held.
func TestTunnelOfANewerVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, path := world(t), cachePath(t)
		for i, name := range []string{"known", "plain"} {
			r := tunnel("", name, "a", 0)
			r.Spec.Remote = "203.0.113.1" + string('0'+rune(i))
			put(t, s, r)
		}
		first := start(t, s, path, nil)
		synctest.Wait()
		first.stop()
		late := tunnel("", "late", "a", 0)
		late.Spec.Remote = "203.0.113.20"
		put(t, s, late)
		put(t, s, tunnel("blue", "site", "a", 0))
		for range 2 {
			again := start(t, newer{s, []string{"known", "late", "site"}}, path, nil)
			synctest.Wait()
			if got := again.alone(t); !slices.Equal(slices.Sorted(slices.Values(got)), []overlay.TunnelName{"known", "plain"}) {
				t.Errorf("stand alone: %v", got)
			}
			status, err := again.Status(again.ctx)
			if err != nil || len(status.Held) != 1 || status.Held["blue"] == "" {
				t.Errorf("held: %v, %v", status.Held, err)
			}
			again.stop()
		}
		last := start(t, s, path, nil)
		synctest.Wait()
		if got := last.alone(t); len(got) != 3 {
			t.Errorf("understood again: %v", got)
		}
		last.stop()
	})
}
