package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"weft/api"
	"weft/overlay"
	"weft/store"
)

// TestInterrupted holds that a command whose context has ended says so on one
// line, and ends with 1.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w, err := newWorld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"--run-dir", w.dir, "plan"},
		{"--credentials", w.dir + "/admin.json", "network", "ls"},
	} {
		var stderr strings.Builder
		code := Run(ctx, args, strings.NewReader(""), io.Discard, &stderr)
		if got := stderr.String(); code != exitFailure || !strings.HasPrefix(got, "weft: interrupted: ") || strings.Count(got, "\n") != 1 {
			t.Errorf("%v: %d, %q", args, code, got)
		}
	}
}

// TestWriteFails holds that output which cannot be written is an error: a full
// disk must not look like an empty list.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	for _, args := range [][]string{{"version"}, {"completion", "bash"}, {"--help"}, {"network"}} {
		if code := Run(t.Context(), args, strings.NewReader(""), fullDisk{}, &stderr); code != exitFailure {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestExitCodes(t *testing.T) {
	t.Parallel()
	k := overlay.Key{Kind: overlay.KindNetwork, Name: "blue"}
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("a fault"), 1},
		{withCode(exitUsage, "wrong"), 2},
		{fs.ErrPermission, 3},
		{store.ErrNotFound, 4},
		{&store.MissingError{Key: k, Need: k}, 4},
		{&store.ConflictError{Key: k}, 5},
		{&store.ClaimedError{Key: k}, 5},
		{&store.InUseError{Key: k}, 5},
		{store.ErrUnavailable, 6},
		{store.ErrRestored, 6},
		{&api.Error{Code: api.CodeInvalid}, 2},
		{&api.Error{Code: api.CodeForbidden}, 3},
		{&api.Error{Code: api.CodeNotFound}, 4},
		{&api.Error{Code: api.CodeMissing}, 4},
		{&api.Error{Code: api.CodeConflict}, 5},
		{&api.Error{Code: api.CodeClaimed}, 5},
		{&api.Error{Code: api.CodeInUse}, 5},
		{&api.Error{Code: api.CodeExhausted}, 5},
		{&api.Error{Code: api.CodeRestored}, 6},
		{&api.Error{Code: api.CodeUnavailable}, 6},
		{&api.Error{Code: api.CodeInternal}, 1},
	} {
		if got := exitCode(fmt.Errorf("do it: %w", c.err)); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}
