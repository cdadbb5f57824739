package netns_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// The kernel reuses inode numbers: replace a namespace until one comes back.
func TestIDTellsASuccessor(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	earlier := map[uint64]netns.Identity{}
	testenv.Eventually(t, 10*time.Second, func() error {
		now := identity(t, path)
		if was, again := earlier[now.Inode]; again {
			if now == was {
				t.Fatalf("%v is taken for its predecessor", now)
			}
			return nil
		}
		earlier[now.Inode] = now
		return errors.Join(netns.Delete(path), netns.Create(path), errNew)
	}, "an inode number comes back")
}

var errNew = errors.New("every inode was new")

func TestIDIsTheSameByAnyPath(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	want := identity(t, path)
	err := netns.Do(path, func() error {
		got, err := netns.ID("/proc/thread-self/ns/net")
		if got != want {
			t.Errorf("want %v, got %v", want, got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestIDOfSomethingElse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for path, want := range map[string]error{
		file:                       netns.ErrNotNamespace,
		"/proc/self/ns/mnt":        netns.ErrNotNamespace,
		filepath.Join(file, "x"):   nil,
		filepath.Dir(file) + "/no": fs.ErrNotExist,
	} {
		id, err := netns.ID(path)
		if err == nil || !errors.Is(err, want) && want != nil {
			t.Errorf("%s: want %v, got %v", path, want, err)
		}
		if id != (netns.Identity{}) {
			t.Errorf("%s: want no identity, got %v", path, id)
		}
	}
}
