package control

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"weft/internal/files"
)

// TestCacheDamaged: whatever became of the file, the loop starts, the servers' word
// stands, and the file is there to be looked at.
func TestCacheDamaged(t *testing.T) {
	for name, damage := range map[string]func(good string) string{
		"empty":           func(string) string { return "" },
		"cut off":         func(good string) string { return good[:len(good)/2] },
		"zeros":           func(good string) string { return strings.Repeat("\x00", len(good)) },
		"another form":    func(string) string { return `{"resources": {}}` },
		"unknown kind":    func(good string) string { return strings.Replace(good, `"kind":"Network"`, `"kind":"Nutwork"`, 1) },
		"not a network":   func(good string) string { return strings.Replace(good, `"subnets":["10.7.0.0/24"]`, `"subnets":[]`, 1) },
		"a letter turned": func(good string) string { return strings.Replace(good, `"10.7.0.`, `"10.7;0.`, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, path := world(t), cachePath(t)
				put(t, s, web("blue", "web", "a", 5))
				first := start(t, s, path, nil)
				first.expect("full blue[web]")
				first.stop()
				good, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				bad := damage(string(good))
				if bad == string(good) {
					t.Fatalf("nothing is damaged in %s", good)
				}
				if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
					t.Fatal(err)
				}
				n := start(t, s, path, nil)
				n.expect("full blue[web]")
				if got, err := os.ReadFile(path + files.Aside); err != nil || string(got) != bad {
					t.Errorf("aside is %q, %v", got, err)
				}
				n.stop()
				if _, err := (cache{path}).load(); err != nil {
					t.Errorf("the new file: %v", err)
				}
			})
		})
	}
}
