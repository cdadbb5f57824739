package netns_test

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "sleep")
	path := testenv.Namespace(t)
	pid := sleeper(t, path)
	want := identity(t, path)
	for _, s := range []string{filepath.Base(path), path, strconv.Itoa(pid)} {
		got, err := netns.Resolve(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if id := identity(t, got); !filepath.IsAbs(got) || id != want {
			t.Errorf("%s: got %s, which is %v, want %v", s, got, id, want)
		}
	}
}

func TestResolvePrefersANameToAProcess(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "sleep")
	number := strconv.Itoa(sleeper(t, testenv.Namespace(t)))
	path := netns.Named(number)
	if err := netns.Create(path); err != nil {
		t.Fatal(err)
	}
	defer netns.Delete(path)
	if got, err := netns.Resolve(number); got != path || err != nil {
		t.Errorf("want %s, got %s, %v", path, got, err)
	}
}

func TestResolveErrors(t *testing.T) {
	t.Parallel()
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(gone.ProcessState.Pid())
	for _, tt := range []struct {
		s, want string
		is      error
	}{
		{"", `network namespace "": want a name, a path or a process id`, nil},
		{"..", `network namespace "..": not a name (a path needs a slash)`, nil},
		{"no-such", `network namespace "no-such": no such name in /run/netns ("ip netns list" shows them; a path or a process id will do too)`, fs.ErrNotExist},
		{"-1", `network namespace "-1": no such name in /run/netns ("ip netns list" shows them; a path or a process id will do too)`, fs.ErrNotExist},
		{pid, `network namespace "` + pid + `": no process ` + pid + `, and no such name in /run/netns`, fs.ErrNotExist},
		{"/no/such", `network namespace "/no/such": no such file`, fs.ErrNotExist},
		{"/etc/passwd", `network namespace "/etc/passwd": /etc/passwd is not a network namespace`, netns.ErrNotNamespace},
		{"/proc/self/ns/uts", `network namespace "/proc/self/ns/uts": /proc/self/ns/uts is not a network namespace`, netns.ErrNotNamespace},
	} {
		path, err := netns.Resolve(tt.s)
		if path != "" || err == nil || err.Error() != tt.want {
			t.Errorf("%q:\nwant %s\n got %v", tt.s, tt.want, err)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%q: %v is not %v", tt.s, err, tt.is)
		}
	}
}

func TestResolveDoesNotWaitForAFIFO(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := netns.Resolve(fifo); !errors.Is(err, netns.ErrNotNamespace) {
		t.Errorf("want ErrNotNamespace, got %v", err)
	}
}

// sleeper starts a process in a namespace and returns its id.
func sleeper(t *testing.T, ns string) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := netns.Do(ns, cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // killed by its context
	return cmd.Process.Pid
}
