package agent

import (
	"errors"
	"slices"
	"testing"

	"weft/overlay"
)

// What a node says of its planes, with the eBPF plane and without.
func TestPlanes(t *testing.T) {
	t.Parallel()
	with, without := Options{}, Options{noPrograms: errors.New("the kernel lacks tcx"), noForwarder: errors.New("the kernel lacks TUN links")}
	if got := with.planes(); !slices.Equal(got, []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel, overlay.PlaneUser}) || len(with.lacks()) > 0 {
		t.Errorf("planes %s, lacks %s", got, with.lacks())
	}
	if got := without.planes(); !slices.Equal(got, []overlay.PlaneName{overlay.PlaneKernel}) || without.lacks()[overlay.PlaneEBPF] != "the kernel lacks tcx" || without.lacks()[overlay.PlaneUser] != "the kernel lacks TUN links" {
		t.Errorf("planes %s, lacks %s", got, without.lacks())
	}
}
