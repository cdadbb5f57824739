package etcdstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft/overlay"
	"weft/store"
)

// TestDatabaseCutOff: a database that was cut off is one line that says what to do,
// wherever the cut is, and the folder stays as it is and can be put back.
func TestDatabaseCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := embedded(t, dir, EmbedOptions{})
	put(t, e, node(1))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "member", "snap", "db")
	_, used, err := extent(path)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 100, 4096, 8192, used / 2, used - 1} {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		broken, err := Embed(t.Context(), dir, EmbedOptions{})
		if err == nil {
			t.Fatalf("cut off at %d of %d: got %v", size, used, broken)
		}
		for _, want := range []string{dir, "is damaged", "docs/running.md"} {
			if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "\n") {
				t.Errorf("cut off at %d of %d: %q, want one line with %q", size, used, text, want)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Size() != size {
			t.Errorf("cut off at %d: it is %v, %v now", size, info, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if all, _ := list(t, embedded(t, dir, EmbedOptions{}), store.Interest{}); all[overlay.Key{Kind: overlay.KindNode, Name: "n1"}] == nil {
		t.Errorf("put back, it has %v", all)
	}
}
