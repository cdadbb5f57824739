package files_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/files"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, want := range []string{"first", "a longer second", ""} {
		if err := files.Replace(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("content %q, %v, want %q", got, err, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	wantOnly(t, dir, "file")
}

// TestReplaceFails: what cannot be replaced stays, with nothing beside it.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Mkdir(path, 0o700); err != nil { // no file can replace a folder
		t.Fatal(err)
	}
	if err := files.Replace(path, []byte("text")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	wantOnly(t, dir, "file")
	if err := files.Replace(filepath.Join(dir, "none", "file"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a folder that is not there: %v, want %v", err, fs.ErrNotExist)
	}
}

// TestReplaceBy: what is not written to its end replaces nothing, and leaves nothing.
func TestReplaceBy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	broken := errors.New("broken")
	for _, step := range []struct {
		fails error
		want  string
	}{{nil, "12"}, {broken, "12"}, {nil, "12"}} {
		err := files.ReplaceBy(path, func(w io.Writer) error {
			_, err := io.WriteString(w, "1")
			if step.fails != nil {
				return step.fails
			}
			_, more := io.WriteString(w, "2")
			return errors.Join(err, more)
		})
		if !errors.Is(err, step.fails) {
			t.Errorf("%v, want %v", err, step.fails)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != step.want {
			t.Errorf("content %q, %v, want %q", got, err, step.want)
		}
		wantOnly(t, dir, "file")
	}
}

// TestReplaceAfterKill: what a killed one left of the same file goes, and nothing
// else: not what another process may be writing just now.
func TestReplaceAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{".file.123", ".file.4567890", ".file.77", ".file.x", ".file.txt.12", ".other.123", "file.123"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == ".file.77" {
			continue // it is being written
		}
		hourAgo := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Replace(filepath.Join(dir, "file"), []byte("whole")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if want := []string{".file.77", ".file.txt.12", ".file.x", ".other.123", "file", "file.123"}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}

func TestSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "second"} {
		if err := files.Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		aside, err := files.SetAside(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(aside); err != nil || string(got) != text {
			t.Errorf("aside is %q, %v, want %q", got, err, text)
		}
		wantOnly(t, dir, "file"+files.Aside)
	}
	if _, err := files.SetAside(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v, want %v", err, fs.ErrNotExist)
	}
}

func wantOnly(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the folder holds %v, %v, want %s alone", entries, err, name)
	}
}

// TestLock: one has it, and giving it back frees it though a copy of its
// descriptor is open, as in a process that is just being started.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := files.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Lock(path); !errors.Is(err, files.ErrHeld) {
		t.Errorf("a second lock: %v, want %v", err, files.ErrHeld)
	}
	for _, copied := range copies(t, path) {
		defer unix.Close(copied)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := files.Lock(path)
	if err != nil {
		t.Fatalf("after it was given back: %v", err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}

// copies duplicates every descriptor that this process has of the file at path.
func copies(t *testing.T, path string) (fds []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		link := filepath.Join("/proc/self/fd", e.Name())
		if target, err := os.Readlink(link); err != nil || target != path {
			continue // another file, or the folder's own descriptor, closed by now
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		dup, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, dup)
	}
	if len(fds) == 0 {
		t.Fatalf("no descriptor of %s is open", path)
	}
	return fds
}
