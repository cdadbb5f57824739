package ebpf

import (
	"testing"
	"time"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// TestDifferential: frames of every kind, the wrong ones above all, go the same way on the kernel
// plane and on this one.
func TestDifferential(t *testing.T) {
	t.Parallel()
	most := time.Duration(testenv.Rounds(10, 600)) * time.Second
	dataplanetest.RunDifferential(t, most, newKernelBed, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) })
}

func newKernelBed(t testing.TB) dataplanetest.Harness {
	return linux.New(t, linux.Subject{
		New: func(t testing.TB, on linux.Host) dataplane.Plane {
			plane, err := kernel.New(kernel.Options{NetnsDir: on.NetnsDir, StateDir: on.StateDir, Host: on.Namespace})
			if err != nil {
				t.Fatal(err)
			}
			return plane
		},
		Name: overlay.PlaneKernel, Attach: overlay.AttachVeth,
	})
}
