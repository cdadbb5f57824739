package netns_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/internal/netns"
	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestCreateIsSeenByIproute2(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ip")
	path := testenv.Namespace(t)
	name := filepath.Base(path)
	if got := testenv.Output(t, "", "ip", "-n", name, "-o", "link"); !strings.Contains(got, "lo:") || strings.Count(got, "\n") != 1 {
		t.Errorf("ip -n %s link: want lo alone, got %q", name, got)
	}
	testenv.Run(t, "", "ip", "netns", "delete", name)
	if err := netns.Delete(path); err != nil {
		t.Errorf("delete after iproute2 did: %v", err)
	}
}

func TestDeleteWhatIproute2Made(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ip")
	testenv.NeedRoot(t)
	name := testenv.Name(t, "test")
	testenv.Run(t, "", "ip", "netns", "add", name)
	if err := netns.Delete(netns.Named(name)); err != nil {
		t.Error(err)
	}
	wantGone(t, netns.Named(name))
}

func TestCreateMakesFolders(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	path := filepath.Join(t.TempDir(), "run", "netns", "x")
	if err := netns.Create(path); err != nil {
		t.Fatal(err)
	}
	if _, err := netns.ID(path); err != nil {
		t.Error(err)
	}
	if err := netns.Delete(path); err != nil {
		t.Fatal(err)
	}
	wantGone(t, path)
}

func TestCreateLeavesAnExistingOneAlone(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	before := identity(t, path)
	if err := netns.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second create: want ErrExist, got %v", err)
	}
	if after := identity(t, path); after != before {
		t.Errorf("namespace changed from %v to %v", before, after)
	}
}

func TestCreateUsesAPlaceholderAgain(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	path := filepath.Join(t.TempDir(), "x")
	write(t, path, "") // as a process killed in Create leaves it
	if err := netns.Create(path); err != nil {
		t.Fatal(err)
	}
	if err := netns.Delete(path); err != nil {
		t.Error(err)
	}
}

func TestCreateAtOneTimeHasOneWinner(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	path := filepath.Join(t.TempDir(), "x")
	var made atomic.Int32
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			err := netns.Create(path)
			if err == nil {
				made.Add(1)
			}
			if errors.Is(err, fs.ErrExist) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if made.Load() != 1 {
		t.Errorf("%d of 8 made the namespace", made.Load())
	}
	if err := netns.Delete(path); err != nil {
		t.Error(err)
	}
	wantGone(t, path)
}

func TestDeleteTwice(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	for range 2 {
		if err := netns.Delete(path); err != nil {
			t.Error(err)
		}
	}
	if err := netns.Delete(filepath.Join(t.TempDir(), "none", "x")); err != nil {
		t.Errorf("delete in a folder that is not there: %v", err)
	}
}

func TestDeleteSparesOtherFiles(t *testing.T) {
	t.Parallel()
	ns := testenv.Namespace(t)
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	write(t, file, "text")
	if err := os.Symlink(ns, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, dir} {
		if err := netns.Delete(path); !errors.Is(err, netns.ErrNotNamespace) {
			t.Errorf("delete %s: want ErrNotNamespace, got %v", path, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := netns.ID(ns); err != nil {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	for _, name := range []string{"b", "a"} {
		path := filepath.Join(dir, name)
		if err := netns.Create(path); err != nil {
			t.Fatal(err)
		}
		defer netns.Delete(path)
	}
	got, err := netns.List(dir)
	if err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("want a and b, got %q, %v", got, err)
	}
	if got, err := netns.List(filepath.Join(dir, "none")); err != nil || len(got) != 0 {
		t.Errorf("folder that is not there: want nothing, got %q, %v", got, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantGone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

func identity(t *testing.T, path string) netns.Identity {
	t.Helper()
	id, err := netns.ID(path)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestMountGivesASecondName(t *testing.T) {
	t.Parallel()
	path := testenv.Namespace(t)
	want := identity(t, path)
	again := filepath.Join(t.TempDir(), testenv.Name(t, "again"))
	if err := netns.Mount(path, again); err != nil {
		t.Fatal(err)
	}
	if got := identity(t, again); got != want {
		t.Errorf("want %v, got %v", want, got)
	}
	if err := netns.Mount(path, again); !errors.Is(err, fs.ErrExist) {
		t.Errorf("twice: want fs.ErrExist, got %v", err)
	}
	if err := netns.Delete(again); err != nil {
		t.Error(err)
	}
}
