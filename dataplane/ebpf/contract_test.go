package ebpf

import (
	"testing"

	"weft/dataplane/dataplanetest"
	"weft/overlay"
)

func TestContract(t *testing.T) {
	t.Parallel()
	dataplanetest.Run(t, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) })
}

// A virtual machine's port is no worse than a container's.
func TestContractOfTaps(t *testing.T) {
	t.Parallel()
	dataplanetest.RunBriefly(t, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachTap) })
}
