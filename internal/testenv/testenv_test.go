package testenv

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// recorder is a test that remembers how it ended.
type recorder struct {
	testing.TB
	verdict string // "skip" or "fail" and why
}

func (r *recorder) Helper()                      {}
func (r *recorder) Errorf(f string, args ...any) { r.verdict = "fail: " + fmt.Sprintf(f, args...) }
func (r *recorder) Fatal(args ...any)            { r.end("fail: " + fmt.Sprint(args...)) }
func (r *recorder) Fatalf(f string, args ...any) { r.end("fail: " + fmt.Sprintf(f, args...)) }
func (r *recorder) Skip(args ...any)             { r.end("skip: " + fmt.Sprint(args...)) }

func (r *recorder) end(verdict string) {
	r.verdict = verdict
	runtime.Goexit()
}

// verdict says how a test that runs f would end: "" is a pass.
func verdict(t *testing.T, f func(t testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.verdict
}

func TestNeed(t *testing.T) {
	need := func(t testing.TB) { Need(t, "sh", "no-such-tool", "nor-this") }
	t.Setenv(strictVar, "")
	if got := verdict(t, need); !strings.HasPrefix(got, "skip: needs no-such-tool, nor-this:") {
		t.Errorf("lenient: got %q", got)
	}
	t.Setenv(strictVar, "1")
	if got := verdict(t, need); !strings.HasPrefix(got, "fail: would skip, but WEFT_TEST_STRICT=1: needs no-such-tool") {
		t.Errorf("strict: got %q", got)
	}
	if got := verdict(t, func(t testing.TB) { Need(t, "sh", "true") }); got != "" {
		t.Errorf("tools that are there: got %q", got)
	}
}

func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2000 {
		name := Name(t, "weft-a")
		if seen[name] || len(name) > 15 || !strings.HasPrefix(name, "weft-a-"+tag) {
			t.Fatalf("name %d is %q", len(seen), name)
		}
		seen[name] = true
	}
	if got := verdict(t, func(t testing.TB) { Name(t, "much-too-long") }); !strings.Contains(got, "shorten the prefix") {
		t.Errorf("long prefix: got %q", got)
	}
}
