package suggest

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"network", "node", "neigh", "link", "ls", "directRouting"}
	for unknown, want := range map[string]string{
		"netwrk":        "network",
		"nodes":         "node",
		"NETWORK":       "network",
		"lnik":          "link",
		"directrouting": "directRouting",
		"directRoutng":  "directRouting",
		"qqqqq":         "",
		"":              "",
		"xx":            "", // "ls" has no letter of it
		"l":             "ls",
	} {
		if got := Nearest(unknown, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", unknown, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
