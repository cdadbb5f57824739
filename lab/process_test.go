package lab_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/lab"
)

// single is one host with nothing to talk to.
var single = lab.Topology{Machines: []lab.Machine{{Name: "h"}}}

func start(t *testing.T, n *lab.Namespace, script string) *lab.Process {
	t.Helper()
	testenv.Need(t, "sh", "sleep")
	p, err := n.Start(exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// says waits until the process has written text.
func says(t *testing.T, p *lab.Process, text string) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() error {
		out, err := p.Output()
		if err == nil && !strings.Contains(out, text) {
			err = errors.New("it says " + strconv.Quote(out))
		}
		return err
	}, "process says "+text)
}

func TestProcessInAHost(t *testing.T) {
	t.Parallel()
	h := build(t, single).Host("h")
	p := start(t, &h.Namespace, "cat /proc/net/dev; echo loud >&2; exit 3")
	var exit *exec.ExitError
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("want exit code 3, got %v", err)
	}
	out, err := p.Output()
	if err != nil || strings.Count(out, ":") != 1 || !strings.Contains(out, "lo:") || !strings.Contains(out, "loud\n") {
		t.Errorf("want lo alone and loud, got %q, %v", out, err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("stop what has ended: %v", err)
	}
}

func TestStopIsPolite(t *testing.T) {
	t.Parallel()
	h := build(t, single).Host("h")
	p := start(t, &h.Namespace, "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.01; done")
	says(t, p, "up")
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	says(t, p, "bye")
}

func TestStopIsFirm(t *testing.T) {
	t.Parallel()
	h := build(t, single).Host("h")
	p := start(t, &h.Namespace, "trap '' TERM; echo up; while :; do sleep 0.01; done")
	says(t, p, "up")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	wantEnded(t, p)
}

func TestKill(t *testing.T) {
	t.Parallel()
	h := build(t, single).Host("h")
	p := start(t, &h.Namespace, "exec sleep 1000")
	for range 2 {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	wantEnded(t, p)
	if state := p.Wait(t.Context()); state == nil || !strings.Contains(state.Error(), "killed") {
		t.Errorf("want killed, got %v", state)
	}
}

func wantEnded(t *testing.T, p *lab.Process) {
	t.Helper()
	select {
	case <-p.Ended():
	default:
		t.Errorf("process %d has not ended", p.PID())
	}
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v", p.PID(), err)
	}
}

func TestDeleteEndsAWorkload(t *testing.T) {
	t.Parallel()
	w, err := build(t, single).Host("h").Workload("w")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, w, "exec sleep 1000")
	for range 2 {
		if err := w.Delete(); err != nil {
			t.Error(err)
		}
	}
	<-p.Ended()
	if _, err := os.Stat(w.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", w.Path(), err)
	}
}

// A lab whose builder died has processes that nobody waits for, some of them not
// children of its programs.
func TestCleanKillsWhatLivesInALab(t *testing.T) {
	t.Parallel()
	l := build(t, single)
	w, err := l.Host("h").Workload("w")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, w, "sleep 1000 & echo $!; exec sleep 1000")
	says(t, p, "\n")
	out, err := p.Output()
	if err != nil {
		t.Fatal(err)
	}
	child := strings.TrimSpace(out)
	if err := lab.Clean(l.Name()); err != nil {
		t.Error(err)
	}
	<-p.Ended()
	testenv.Eventually(t, 10*time.Second, func() error {
		if stat, err := os.ReadFile("/proc/" + child + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			return errors.New(string(stat))
		}
		return nil
	}, "child ends")
	wantNoLab(t, l.Name())
}

// What a killed program had mounted in the lab's folder goes, whatever is in it.
func TestCleanUnmounts(t *testing.T) {
	t.Parallel()
	l := build(t, single)
	for _, dir := range []string{"bpf", "bpf/inner"} {
		at := filepath.Join(l.Host("h").Dir(), dir)
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := lab.Clean(l.Name()); err != nil {
		t.Error(err)
	}
	wantNoLab(t, l.Name())
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), l.Dir()+"/") {
		t.Errorf("mounted still: %v\n%s", err, mounts)
	}
}

func TestCleanAfterAKilledBuild(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	name := testenv.Name(t, "lab")
	halfway := netns.Named("weftlab." + name + ".a") // not mounted yet
	for _, dir := range []string{netns.Dir, filepath.Join(lab.Root, name, "a")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(halfway, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := lab.Clean(name); err != nil {
		t.Error(err)
	}
	wantNoLab(t, name)
	if _, err := os.Stat(halfway); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", halfway, err)
	}
}

func TestCleanWhatIsNotThere(t *testing.T) {
	t.Parallel()
	if err := lab.Clean(testenv.Name(t, "lab")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "..", "a/b"} {
		if err := lab.Clean(name); err == nil {
			t.Errorf("cleaned %q", name)
		}
	}
}
