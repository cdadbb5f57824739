package ebpf

import (
	"testing"

	"weft/dataplane/dataplanetest"
	"weft/internal/testenv"
	"weft/overlay"
)

func TestContract(t *testing.T) {
	t.Parallel()
	dataplanetest.Run(t, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) })
}

// Programs forward alike wherever they are attached.
func TestContractOfFilters(t *testing.T) {
	t.Parallel()
	run := []func(*testing.T, func(testing.TB) dataplanetest.Harness){dataplanetest.RunBriefly, dataplanetest.Run}[testenv.Rounds(0, 1)]
	run(t, func(t testing.TB) dataplanetest.Harness { return newBedBy(t, overlay.AttachVeth, clsact) })
}

// A virtual machine's port is no worse than a container's.
func TestContractOfTaps(t *testing.T) {
	t.Parallel()
	dataplanetest.RunBriefly(t, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachTap) })
}

// TestContractOfEncapsulations: VXLAN is held to all of the contract, in every family; each of
// the others to each kind of network.
func TestContractOfEncapsulations(t *testing.T) {
	t.Parallel()
	for _, e := range []overlay.Encapsulation{overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			dataplanetest.RunEncapsulationBriefly(t, e, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) })
		})
	}
}
