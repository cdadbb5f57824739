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
	with, without := Options{}, Options{noPrograms: errors.New("the kernel lacks tcx")}
	if got := with.planes(); !slices.Equal(got, []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}) || with.lacks() != nil {
		t.Errorf("planes %s, lacks %s", got, with.lacks())
	}
	if got := without.planes(); !slices.Equal(got, []overlay.PlaneName{overlay.PlaneKernel}) || without.lacks()[overlay.PlaneEBPF] != "the kernel lacks tcx" {
		t.Errorf("planes %s, lacks %s", got, without.lacks())
	}
}
