package ebpf

import (
	"testing"

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
	run := []func(_ *testing.T, kernel, programs func(testing.TB) dataplanetest.Harness){dataplanetest.RunDifferentialBriefly, dataplanetest.RunDifferential}[testenv.Rounds(0, 1)]
	run(t, newKernelBed, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) })
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
