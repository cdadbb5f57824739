package ipam

import (
	"fmt"
	"io"

	"weft/overlay"
)

// macTries is how often NextMAC reads again. Of 2^46 MACs a network uses some
// 2^20 at most, so the chance that the second is taken too is 2^-52.
const macTries = 64

// NextMAC makes a locally administered unicast MAC (IEEE 802, section 8.2) from
// a random source and skips those taken, and 02:77, which gateways and VTEPs have.
func NextMAC(random io.Reader, taken func(overlay.MAC) bool) (overlay.MAC, error) {
	var m overlay.MAC
	for range macTries {
		if _, err := io.ReadFull(random, m[:]); err != nil {
			return overlay.MAC{}, fmt.Errorf("choose a MAC: %w", err)
		}
		m[0] = m[0]&^0x01 | 0x02
		if (m[0] != 0x02 || m[1] != 0x77) && !taken(m) {
			return m, nil
		}
	}
	return overlay.MAC{}, &ExhaustedError{What: "MAC", Range: "the random source", Taken: macTries, Usable: macTries,
		Hint: "all that it gave are taken; ask for a MAC by name"}
}
