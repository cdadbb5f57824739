// Package interop tests that others understand what Weft's planes send, and the planes them:
// Open vSwitch, a Linux host that somebody has set up by hand, and Weft's other plane. A test
// that has an own end on both sides proves nothing about either.
//
// Two hosts are on one underlay segment, each with a workload: on the first is the plane under
// test, on the second a peer. Both sides' packets are captured on the wire, and what tshark
// says of them is compared with the State.
//
// Do not add here what a plane's own tests can show without a second host.
package interop

import (
	"testing"

	"weft/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
