package dataplanetest

import (
	"testing"

	"weft/overlay"
)

// The oracle is held to itself: the ground is well laid.
func FuzzMemory(f *testing.F) {
	Fuzz(f, newMemory, append([]overlay.Encapsulation{overlay.EncapVXLAN}, encapsulations...)...)
}
