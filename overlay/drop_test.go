package overlay

import "testing"

func TestDropsAreListedInOrder(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Drops{
		"":                            nil,
		"not-member 5, spoofed-mac 3": {DropSpoofedMAC: 3, DropNotMember: 5, DropSpoofedIP: 0},
		"unknown-vni 7":               {DropUnknownVNI: 7},
	} {
		if got := d.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
