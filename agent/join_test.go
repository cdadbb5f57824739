package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
