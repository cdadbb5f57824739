package plan

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weft/overlay"
)

// TestDevices: different names for all, whatever collides; and the same set has
// the same names, in whatever order it was met.
func TestDevices(t *testing.T) {
	t.Parallel()
	for _, naming := range []func(portKey, int) string{weakName, hashName} {
		rapid.Check(t, func(t *rapid.T) {
			keys := map[portKey]struct{}{}
			for range rapid.IntRange(0, 25).Draw(t, "ports") {
				keys[portKey{networkNames.Draw(t, "network"), overlay.EndpointName(endpointNames.Draw(t, "endpoint"))}] = struct{}{}
			}
			named := devices(keys, naming)
			taken := map[string]portKey{}
			for k, device := range named {
				if other, ok := taken[device]; ok {
					t.Fatalf("%v and %v are both named %s", k, other, device)
				}
				taken[device] = k
			}
			again := map[portKey]struct{}{}
			order := slices.Collect(maps.Keys(keys))
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, k := range order {
				again[k] = struct{}{}
			}
			if !maps.Equal(named, devices(again, naming)) || len(named) != len(keys) {
				t.Fatalf("%v: the names depend on the order", named)
			}
		})
	}
}

func TestHashName(t *testing.T) {
	t.Parallel()
	long := portKey{overlay.NetworkName(strings.Repeat("n", overlay.MaxName)), overlay.EndpointName(strings.Repeat("e", overlay.MaxName))}
	for attempt := range 3 {
		if err := overlay.CheckInterfaceName("device", hashName(long, attempt)); err != nil {
			t.Error(err)
		}
	}
	for k, want := range map[portKey]string{ // devices stay after an upgrade
		{"blue", "web"}: "wfd8d2f696c6",
		{"red", "web"}:  "wf7c7aa891ee",
	} {
		if got := hashName(k, 0); got != want {
			t.Errorf("%v: %s, want %s", k, got, want)
		}
	}
	if hashName(long, 0) == hashName(long, 1) {
		t.Error("the second attempt is the first")
	}
}
