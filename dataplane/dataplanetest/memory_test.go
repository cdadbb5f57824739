package dataplanetest

import (
	"context"
	"testing"

	"weft/dataplane"
	"weft/overlay"
)

// memoryHarness is a plane in this process on a node that is nothing else.
type memoryHarness struct {
	plane *Memory
	out   []Delivery
}

func newMemory(t testing.TB) Harness { return newMemoryHarness(t) }

func newMemoryHarness(t testing.TB) *memoryHarness {
	h := &memoryHarness{plane: NewMemory()}
	t.Cleanup(func() {
		if err := h.plane.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *memoryHarness) Apply(want dataplane.State, since *dataplane.Delta) error {
	return h.plane.Apply(context.Background(), want, since)
}

func (h *memoryHarness) Inject(at Place, frame []byte) error {
	h.out = append(h.out, h.plane.Inject(at, frame)...)
	return nil
}

func (h *memoryHarness) Deliveries() ([]Delivery, error) {
	out := h.out
	h.out = nil
	return out, nil
}

func (h *memoryHarness) Drops() (map[overlay.DropReason]uint64, error) { return h.plane.Drops(), nil }
func (h *memoryHarness) Untold() []overlay.DropReason                  { return nil }

func TestMemory(t *testing.T) {
	t.Parallel()
	Run(t, newMemory)
}

// encapsulations are those beside VXLAN.
var encapsulations = []overlay.Encapsulation{overlay.EncapGeneve, overlay.EncapGRE, overlay.EncapIPIP, overlay.EncapSIT}

func TestMemoryEncapsulations(t *testing.T) {
	t.Parallel()
	for _, e := range encapsulations {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			RunEncapsulation(t, e, newMemory)
		})
	}
}
