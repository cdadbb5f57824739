package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "frames.txt")
	if err := os.WriteFile(path, []byte("# origin\n\n# one\na\n  0102\n  03\nb\n  ff\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"a": {1, 2, 3}, "b": {0xff}}
	if diff := cmp.Diff(want, Frames(t, path)); diff != "" {
		t.Error(diff)
	}
}

// What is written is read again, and looks as it should.
func TestFormatFrames(t *testing.T) {
	t.Parallel()
	frames := map[string][]byte{"b": {0xff}, "a": make([]byte, 49)}
	got := FormatFrames("# origin\n", frames, map[string]string{"b": "one"})
	if want := "# origin\na\n  " + strings.Repeat("00", 48) + "\n  00\n# one\nb\n  ff\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	back, err := parseFrames(got)
	if diff := cmp.Diff(frames, back); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestFramesRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  0102\n":       "line 1: a frame without a name",
		"a\n  01\n  0x":  "line 3: frame a:",
		"a\n  01\na\n  ": "line 3: a second frame a",
	} {
		if _, err := parseFrames(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
