package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weft/store"
)

// TestJoinDamaged: a certificate that cannot be read is left where it is, and
// the error says how to get another.
func TestJoinDamaged(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "cut off": `{"servers": ["https://192.0.2.1`, "another form": "{}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "node.json")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := join(t.Context(), Options{Node: "a", StateDir: dir, Log: slog.New(slog.DiscardHandler)})
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, want one line", err)
			}
			for _, want := range []string{file, "the file is damaged", "weft token create --node a"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q", err, want)
				}
			}
			if left, err := os.ReadFile(file); err != nil || string(left) != text {
				t.Errorf("the file is %q, %v, want it as it was", left, err)
			}
		})
	}
}

// TestJoinWaits: while no server answers a host tries to join for a while and says
// so once; every other refusal is final.
func TestJoinWaits(t *testing.T) {
	t.Parallel()
	silent := fmt.Errorf("join: no server answers: https://192.0.2.1:7411: connection refused: %w", store.ErrUnavailable)
	refused := errors.New("token t: it has expired")
	for name, tt := range map[string]struct {
		answers []error // the last one again and again
		want    error
		lines   int
	}{
		"a server starts":    {[]error{silent, silent, silent, nil}, nil, 1},
		"it answers at once": {[]error{nil}, nil, 0},
		"it refuses":         {[]error{silent, refused}, refused, 1},
		"there is none":      {[]error{silent}, silent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var text bytes.Buffer
				began, tries := time.Now(), 0
				err := whileUnavailable(t.Context(), slog.New(slog.NewTextHandler(&text, nil)), joinTime, func(context.Context) error {
					tries++
					return tt.answers[min(tries, len(tt.answers))-1]
				})
				if !errors.Is(err, tt.want) || tries < len(tt.answers) {
					t.Errorf("%v after %d tries, want %v", err, tries, tt.want)
				}
				if strings.Count(text.String(), "\n") != tt.lines || tt.lines > 0 && !strings.Contains(text.String(), "https://192.0.2.1:7411: connection refused") {
					t.Errorf("it said %q, want %d lines", text.String(), tt.lines)
				}
				if took := time.Since(began); took > joinTime {
					t.Errorf("it took %v, want %v at most", took, joinTime)
				}
			})
		})
	}
}

// TestJoinIsStopped: who stops a host that waits for a server need not wait, too.
func TestJoinIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		err := whileUnavailable(ctx, slog.New(slog.DiscardHandler), joinTime, func(context.Context) error {
			stop()
			return store.ErrUnavailable
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want %v", err, context.Canceled)
		}
	})
}
