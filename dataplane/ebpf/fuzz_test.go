package ebpf

import (
	"testing"

	"weft/dataplane/dataplanetest"
	"weft/overlay"
)

// FuzzForwarding: whatever bytes come in, at a port or at the underlay, in networks of every
// encapsulation, the programs give them to nobody whom the oracle does not.
func FuzzForwarding(f *testing.F) {
	dataplanetest.Fuzz(f, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) },
		overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT)
}
