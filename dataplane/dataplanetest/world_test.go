package dataplanetest

import (
	"slices"
	"testing"

	"weft/overlay"
)

// Each encapsulation has the worlds that it carries, and of these the brief suite one of
// each kind.
func TestWorlds(t *testing.T) {
	t.Parallel()
	both := []string{"bridged/v4-in-v6", "routed/v6-in-v4"}
	for e, want := range map[overlay.Encapsulation]struct {
		all int
		few []string
	}{
		overlay.EncapVXLAN:  {8, both},
		overlay.EncapGeneve: {8, both},
		overlay.EncapGRE:    {8, both},
		overlay.EncapIPIP:   {2, []string{"routed/v4-in-v6"}},
		overlay.EncapSIT:    {2, []string{"routed/v6-in-v4"}},
	} {
		var few []string
		for _, w := range fewWorlds(e) {
			few = append(few, w.name())
		}
		if n := len(worlds(e)); n != want.all || !slices.Equal(few, want.few) {
			t.Errorf("%s: %d worlds, few are %q, want %d, %q", e, n, few, want.all, want.few)
		}
	}
}
