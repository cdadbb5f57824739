package etcdstore

import (
	"errors"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

// A store that is wiped under a running server refuses everything until the server
// follows the new incarnation, which reading the standing mints.
func TestStandingOfWipedStore(t *testing.T) {
	t.Parallel()
	etcd := embedded(t, t.TempDir(), EmbedOptions{})
	o := Options{Prefix: "/" + testenv.Name(t, "weft")}
	s, err := open(t.Context(), etcd.kv, etcd.stream, func() error { return nil }, o)
	opened(t, s, err)
	before, err := s.Standing(t.Context())
	if err != nil || !before.Covers(s.Seen()) {
		t.Fatalf("standing %+v, seen %s, %v", before, s.Seen(), err)
	}
	if _, err := etcd.kv.Delete(t.Context(), o.Prefix+"/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	n := overlay.New(overlay.KindToken).(*overlay.Token)
	n.Name = "one"
	if _, _, err := s.Update(t.Context(), store.Change{Put: n, Expect: store.Any}); !errors.Is(err, store.ErrRestored) {
		t.Errorf("update: %v, want ErrRestored", err)
	}
	now, err := s.Standing(t.Context())
	if err != nil || now.Revision.Incarnation == before.Revision.Incarnation || now.Covers(before.Revision) || now.Covers(s.Seen()) {
		t.Errorf("standing %+v, seen %s, %v", now, s.Seen(), err)
	}
	if again, err := s.Standing(t.Context()); err != nil || again.Revision.Incarnation != now.Revision.Incarnation {
		t.Errorf("again: %+v, %v", again, err)
	}
	s.Follow(now)
	if _, _, err := s.Update(t.Context(), store.Change{Put: n, Expect: store.Any}); err != nil {
		t.Errorf("update: %v", err)
	}
	if now, err = s.Standing(t.Context()); err != nil || !now.Covers(s.Seen()) {
		t.Errorf("standing %+v, seen %s, %v", now, s.Seen(), err)
	}
}
