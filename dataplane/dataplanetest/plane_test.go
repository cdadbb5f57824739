package dataplanetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
)

var _ dataplane.Plane = (*Memory)(nil)

// office is a bridged world with a segment port.
func officeState() (world, dataplane.State) {
	w := world{overlay.Bridged, overlay.V4, overlay.V4, overlay.EncapVXLAN}
	s := w.base()
	s.Generation = 1
	s.Networks[blue].Ports[office] = dataplane.Port{Name: office, Kind: overlay.PortSegment, Device: "p-office"}
	return w, s
}

func newPlane(t *testing.T, s dataplane.State) *Memory {
	t.Helper()
	m := NewMemory()
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := m.Apply(t.Context(), s, nil); err != nil {
		t.Fatal(err)
	}
	return m
}

// A station is announced when it is seen and when it moves, and once however often
// it is heard while nobody listens.
func TestMemoryAnnouncesStations(t *testing.T) {
	t.Parallel()
	w, s := officeState()
	s.Networks[blue].Ports["attic"] = dataplane.Port{Name: "attic", Kind: overlay.PortSegment, Device: "p-attic"}
	m := newPlane(t, s)
	frame := ping(w.sent(w.olga(), w.alice()))
	for range 3 {
		m.Inject(Place{blue, office}, frame)
	}
	m.Inject(Place{blue, "attic"}, frame)
	for _, port := range []overlay.EndpointName{office, "attic"} {
		e := <-m.Events()
		if e.Kind != dataplane.EventStation || e.Network != blue || e.Port != port || e.Station.MAC != w.olga().mac {
			t.Errorf("want olga behind %s, got %+v", port, e)
		}
	}
}

func TestMemoryObserves(t *testing.T) {
	t.Parallel()
	w, s := officeState()
	m := newPlane(t, s)
	m.Inject(Place{blue, office}, ping(w.sent(w.olga(), w.alice())))
	m.Inject(Place{blue, "alice"}, ping(w.sent(w.bob(), w.carol())))
	seen, err := m.Observe(t.Context(), blue)
	if err != nil {
		t.Fatal(err)
	}
	view, ok := seen.Networks[blue]
	if !ok || len(seen.Networks) != 1 {
		t.Fatalf("want the blue network alone, got %+v", seen)
	}
	var macs []overlay.MAC
	for _, e := range view.FDB {
		macs = append(macs, e.MAC)
	}
	for _, h := range []host{w.alice(), w.bob(), w.carol(), w.dave(), w.olga()} {
		if !slices.Contains(macs, h.mac) {
			t.Errorf("%s is not in the FDB %v", h.name, macs)
		}
	}
	if len(view.Links) != 4 || len(view.Neighbors) != 8 || view.Wanted != view.Present || view.Wanted == 0 {
		t.Errorf("want 4 links and 8 neighbours, got %+v", view)
	}
	if n := view.Drops[overlay.DropSpoofedMAC]; n != 1 {
		t.Errorf("want one spoofed MAC, got %d of %v", n, view.Drops)
	}
}

// What fails changes nothing.
func TestMemoryApplyFails(t *testing.T) {
	t.Parallel()
	w, s := officeState()
	m := newPlane(t, s)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Apply(cancelled, dataplane.State{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("want %v, got %v", context.Canceled, err)
	}
	if d := m.Inject(w.alice().place(), ping(w.sent(w.alice(), w.bob()))); len(d) != 1 {
		t.Errorf("want one delivery, got %v", d)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Apply(t.Context(), s, nil); !errors.Is(err, errClosed) {
		t.Errorf("want %v, got %v", errClosed, err)
	}
	if d := m.Inject(w.alice().place(), ping(w.sent(w.alice(), w.bob()))); len(d) != 1 {
		t.Errorf("closed, it forwards no more: %v", d)
	}
}

// A fitting Delta is all that is looked at; one that does not fit is not.
func TestMemoryTakesDeltas(t *testing.T) {
	t.Parallel()
	w, s := officeState()
	without := s
	without.Generation = 2
	without.Networks = map[overlay.NetworkName]dataplane.Network{red: s.Networks[red]}
	for _, from := range []uint64{1, 7} {
		m := newPlane(t, s)
		nothing := dataplane.Delta{From: from, To: 2}
		if err := m.Apply(t.Context(), without, &nothing); err != nil {
			t.Fatal(err)
		}
		want := 1
		if from != s.Generation {
			want = 0
		}
		if d := m.Inject(w.alice().place(), ping(w.sent(w.alice(), w.bob()))); len(d) != want {
			t.Errorf("Delta from %d: want %d deliveries, got %d", from, want, len(d))
		}
	}
}

// A station is told what fits by its very first frame, before anybody knows it.
func TestMemoryTellsNewStationsTheMTU(t *testing.T) {
	t.Parallel()
	w, s := officeState()
	m := newPlane(t, s)
	d := m.Inject(Place{blue, office}, sized(w.sent(w.olga(), w.carol()), UnderlayMTU))
	if len(d) != 1 || d[0].At != (Place{blue, office}) || d[0].Freedom&Quoting == 0 {
		t.Errorf("want one ICMP error back at the office, got %v", d)
	}
}
