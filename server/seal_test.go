package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft/api"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	s := seal(filepath.Join(t.TempDir(), sealFile))
	if at, err := s.Load(); err != nil || !at.IsZero() {
		t.Errorf("nothing was sealed: %s, %v", at, err)
	}
	want := overlay.Revision{Incarnation: "x", Number: 7}
	if err := s.Save(want); err != nil {
		t.Fatal(err)
	}
	if at, err := s.Load(); err != nil || at != want {
		t.Errorf("got %s, %v; want %s", at, err, want)
	}
	if err := os.WriteFile(string(s), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(); err == nil || !strings.Contains(err.Error(), string(s)) {
		t.Errorf("a damaged seal: %v", err)
	}
}

// TestServerWiped: an embedded etcd that is lost between two runs is noticed, and one
// that is where it was is not.
func TestServerWiped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := run(t, options(dir))
	admin(t, dir)
	stop()
	for _, wiped := range []bool{false, true} {
		if wiped {
			if err := os.RemoveAll(filepath.Join(dir, "etcd")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(filepath.Join(dir, adminFile)); err != nil {
			t.Fatal(err)
		}
		_, stop := run(t, options(dir))
		client := admin(t, dir)
		testenv.Eventually(t, 5*time.Second, func() error {
			status, err := client.Status(t.Context())
			if err == nil && (!status.Ready || (status.Hold != "") != wiped) {
				err = errors.New("hold: " + status.Hold)
			}
			return err
		}, "the server allocates, or does not")
		_, _, err := client.Update(t.Context(), store.Change{Put: network("blue"), Expect: store.Any})
		if wiped != errors.Is(err, store.ErrRestored) {
			t.Errorf("wiped %v: %v", wiped, err)
		}
		if wiped {
			if _, err := client.Recover(t.Context(), api.RecoverRequest{From: "store"}); err != nil {
				t.Error(err)
			}
			if _, _, err := client.Update(t.Context(), store.Change{Put: network("blue"), Expect: store.Any}); err != nil {
				t.Error(err)
			}
		}
		stop()
	}
}
