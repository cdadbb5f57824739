package kernel_test

import (
	"slices"
	"testing"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// subject is the kernel plane, with ports attached so.
func subject(attach overlay.AttachType) linux.Subject {
	told := []overlay.DropReason{
		overlay.DropNotMember, overlay.DropUnknownVNI, overlay.DropSpoofedMAC, overlay.DropSpoofedIP, overlay.DropStorm,
	}
	return linux.Subject{
		New: func(t testing.TB, on linux.Host) dataplane.Plane {
			plane, err := kernel.New(kernel.Options{NetnsDir: on.NetnsDir, StateDir: on.StateDir, Host: on.Namespace})
			if err != nil {
				t.Fatal(err)
			}
			return plane
		},
		Name: overlay.PlaneKernel, Attach: attach,
		Untold: slices.DeleteFunc(overlay.DropReasons(), func(r overlay.DropReason) bool { return slices.Contains(told, r) }),
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	dataplanetest.Run(t, func(t testing.TB) dataplanetest.Harness { return linux.New(t, subject(overlay.AttachVeth)) })
}

// A virtual machine's port is no worse than a container's.
func TestContractOfTaps(t *testing.T) {
	t.Parallel()
	dataplanetest.RunBriefly(t, func(t testing.TB) dataplanetest.Harness { return linux.New(t, subject(overlay.AttachTap)) })
}
