package testenv

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventuallyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		Eventually(t, time.Minute, func() error {
			if time.Since(start) < 30*time.Second {
				return errors.New("early")
			}
			return nil
		}, "half a minute")
		if took := time.Since(start); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestEventuallyGivesUp(t *testing.T) {
	t.Parallel()
	asked := 0
	got := verdict(t, func(t testing.TB) {
		Eventually(t, 0, func() error { asked++; return errors.New("still two") }, "one entry")
	})
	if want := "fail: one entry: not within 0s: still two"; got != want || asked != 1 {
		t.Errorf("want %q, got %q; asked %d times", want, got, asked)
	}
}

func TestOutputInANamespace(t *testing.T) {
	t.Parallel()
	Need(t, "cat", "sh")
	ns := Namespace(t)
	if got := Output(t, ns, "cat", "/proc/net/dev"); strings.Count(got, "\n") != 3 || !strings.Contains(got, "lo:") {
		t.Errorf("want two lines of heading and lo, got %q", got)
	}
	if got := verdict(t, func(t testing.TB) { Run(t, ns, "false") }); !strings.HasPrefix(got, "fail: run false: exit status 1") {
		t.Errorf("false: got %q", got)
	}
}

func TestGolden(t *testing.T) {
	t.Chdir(t.TempDir())
	golden := func(got string) func(testing.TB) {
		return func(t testing.TB) { Golden(t, "a/b.txt", got) }
	}
	if got := verdict(t, golden("x\n")); !strings.Contains(got, "go test -update writes it") {
		t.Errorf("no file: got %q", got)
	}
	setUpdate(t, true)
	if got := verdict(t, golden("x\n")); got != "" {
		t.Errorf("update: got %q", got)
	}
	if file, err := os.ReadFile(filepath.Join("testdata", "a", "b.txt")); err != nil || string(file) != "x\n" {
		t.Errorf("updated file: %q, %v", file, err)
	}
	setUpdate(t, false)
	if got := verdict(t, golden("x\n")); got != "" {
		t.Errorf("same: got %q", got)
	}
	if got := verdict(t, golden("y\n")); !strings.Contains(got, "want (-), got (+)") {
		t.Errorf("other: got %q", got)
	}
}

func setUpdate(t *testing.T, to bool) {
	was := *update
	*update = to
	t.Cleanup(func() { *update = was })
}
