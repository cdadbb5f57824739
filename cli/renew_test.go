package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft/api/identity"
	"weft/overlay"
)

// aged writes credentials of an administrator that were issued some time ago
// with the given lifetime.
func (w *world) aged(ago, lifetime time.Duration) (path string, err error) {
	ca := *w.ca
	ca.Now = func() time.Time { return time.Now().Add(-ago) }
	ca.Lifetime = lifetime
	other := *w
	other.ca = &ca
	who := identity.Identity{Name: "anna", Role: overlay.RoleAdmin, Instance: "1"}
	return filepath.Join(w.dir, "anna.json"), other.credentials(who)
}

// TestRenewal holds that credentials are renewed after two thirds of their time
// and not before, and that a command goes on without.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago     time.Duration
		gone    bool // no server answers
		renewed bool
		stderr  string
		code    int
	}{
		"young":          {ago: 30 * time.Minute},
		"old":            {ago: 50 * time.Minute, renewed: true},
		"old, no server": {ago: 50 * time.Minute, gone: true, stderr: "could not be renewed: no server answers", code: exitUnavailable},
		"expired":        {ago: 2 * time.Hour, stderr: "the certificate has expired", code: exitRefused},
	} {
		t.Run(name, func(t *testing.T) {
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
			path, err := w.aged(c.ago, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if c.gone {
				if err := w.stopServer(); err != nil {
					t.Fatal(err)
				}
				w.stopServer = nothing
			}
			var stderr strings.Builder
			code := Run(t.Context(), []string{"--credentials", path, "network", "ls"}, strings.NewReader(""), io.Discard, &stderr)
			if code != c.code || !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
				t.Errorf("exit code %d, want %d; stderr: %s", code, c.code, stderr.String())
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if renewed := string(before) != string(after); renewed != c.renewed {
				t.Errorf("renewed: %t, want %t", renewed, c.renewed)
			}
			if _, err := identity.LoadCredentials(path); err != nil {
				t.Error(err)
			}
		})
	}
}
