package ebpf

import (
	"testing"

	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// TestTunnelHeaders: programs do with outer headers what the kernel's own devices do; but for
// fragments, which the kernel puts together where it has a socket for them.
func TestTunnelHeaders(t *testing.T) {
	t.Parallel()
	devices, err := kernel.TunnelModes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{options: bedOptions(t, "")}
	linux.RunTunnels(t, linux.Subject{New: b.plane, Name: overlay.PlaneEBPF, Attach: overlay.AttachVeth, OnHost: true},
		TunnelModes(devices))
}
