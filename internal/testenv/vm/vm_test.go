package vm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// Each kernel boots, runs scripts, and says when one fails.
func TestMachine(t *testing.T) {
	t.Parallel()
	for _, k := range Kernels {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			m := Start(t, k, Options{})
			if release := m.Run("uname -r"); !strings.HasPrefix(release, string(k)+".") {
				t.Errorf("uname says %q, want Linux %s", release, k)
			}
			out, err := m.Try("printf one; (exit 3); echo two")
			var exit *ExitError
			if out != "one" || !errors.As(err, &exit) || exit.Code != "3" {
				t.Errorf("a script that fails: %q, %v", out, err)
			}
			if out := m.Run("echo three; echo four >&2"); out != "three\nfour\n" {
				t.Errorf("a script that writes: %q", out)
			}
		})
	}
}

// A package's tests run in a machine, and their failure is told.
func TestRunTests(t *testing.T) {
	t.Parallel()
	m := Start(t, Linux612, Options{Files: map[string]string{binaryPath: Build(t, "./internal/testenv/vm")}})
	for run, want := range map[string]struct{ out, err string }{
		"^TestPadding$": {out: "--- PASS: TestPadding"},
		"^TestMachine$": {out: "WEFT_TEST_STRICT=1: needs qemu-system-x86_64", err: "tests fail on Linux 6.12: exit status 1"},
		"^TestNobody$":  {err: "there are no tests"},
	} {
		out, err := m.runTests("-test.run=" + run)
		if !strings.Contains(out, want.out) || (err == nil) != (want.err == "") || !strings.Contains(fmt.Sprint(err), want.err) {
			t.Errorf("%s: want %+v, got %v and\n%s", run, want, err, out)
		}
	}
}

// orphanVar has this binary be the process of TestStartedGoesWithUs that ends.
const orphanVar = "WEFT_TEST_ORPHAN"

// What was started goes when the process ends that has started it, however it ends.
func TestStartedGoesWithUs(t *testing.T) {
	t.Parallel()
	if os.Getenv(orphanVar) != "" {
		cmd := exec.Command("sleep", "1000")
		cmd.Stdout = os.Stdout
		_, err := start(cmd)
		if err := errors.Join(err, syscall.Kill(os.Getpid(), syscall.SIGKILL)); err != nil {
			t.Fatal(err)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	self := exec.Command(os.Args[0], "-test.run=^TestStartedGoesWithUs$")
	self.Env, self.Stdout = append(os.Environ(), orphanVar+"=1"), write
	if err := errors.Join(self.Start(), write.Close(), read.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if err := self.Wait(); fmt.Sprint(err) != "signal: killed" {
		t.Errorf("the process ended otherwise: %v", err)
	}
	if _, err := io.ReadAll(read); err != nil { // the end comes when nobody has the other end
		t.Error(err)
	}
}

func TestPadding(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int{0: 0, 1: 3, 2: 2, 3: 1, 4: 0, 110: 2} {
		if got := len(padding(size)); got != want {
			t.Errorf("after %d bytes: %d, want %d", size, got, want)
		}
	}
}
