package ipam

import (
	"fmt"

	"weft/overlay"
)

// FirstVNI is where choosing begins: above the VLAN identifiers, which people
// like to use as VNIs and then choose themselves.
const FirstVNI overlay.VNI = 4097

// NextVNI chooses the lowest free VNI from FirstVNI on. It does not go round:
// people read and type VNIs, and no cache outlives a network.
func NextVNI(taken func(overlay.VNI) bool) (overlay.VNI, error) {
	for v := FirstVNI; v <= overlay.MaxVNI; v++ {
		if !taken(v) {
			return v, nil
		}
	}
	n := uint64(overlay.MaxVNI - FirstVNI + 1)
	return 0, &ExhaustedError{What: "VNI", Range: fmt.Sprintf("%d to %d", FirstVNI, overlay.MaxVNI), Taken: n, Usable: n,
		Hint: fmt.Sprintf("ask for one below %d, or remove networks", FirstVNI)}
}
