package overlay

import (
	"fmt"
	"strconv"
)

// VNI is a VXLAN network identifier: 24 bits, 1 to 16777215 (RFC 7348 section 5).
// GRE carries it as its key. Zero is invalid.
type VNI uint32

// MaxVNI is the largest VNI, 2^24-1.
const MaxVNI VNI = 1<<24 - 1

// ParseVNI reads a decimal VNI.
func ParseVNI(s string) (VNI, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || !VNI(n).Valid() {
		return 0, fmt.Errorf("VNI %q: want a number from 1 to %d", s, MaxVNI)
	}
	return VNI(n), nil
}

// Valid reports whether v is in 1 to MaxVNI.
func (v VNI) Valid() bool { return v >= 1 && v <= MaxVNI }

// String returns the decimal form.
func (v VNI) String() string { return strconv.FormatUint(uint64(v), 10) }

// GatewayMAC is the anycast MAC of the network's gateway: the same on every
// node, so that an endpoint that moves keeps its neighbour entry. It is locally
// administered and unicast: 02:77:66 ("wf") and the VNI.
func (v VNI) GatewayMAC() MAC {
	return MAC{0x02, 0x77, 0x66, byte(v >> 16), byte(v >> 8), byte(v)}
}
