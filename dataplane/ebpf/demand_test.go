package ebpf

import (
	"context"
	"os"
	"testing"
	"testing/synctest"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// TestDemand: nothing is opened, nor mounted, before a network needs it, and a run after
// one that did opens at once.
func TestDemand(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	dir, host := t.TempDir(), testenv.Namespace(t)
	t.Cleanup(func() {
		if err := Remove(dir, host); err != nil {
			t.Error(err)
		}
	})
	d := demand(t, dir, host)
	drops, err := d.Drops(0)
	if tidied := d.Tidy(func(uint32) bool { return false }); err != nil || tidied != nil || len(drops) > 0 || len(d.Untold(dataplane.Network{})) == 0 {
		t.Errorf("before: drops %v, %v, tidied %v, untold %v", drops, err, tidied, d.Untold(dataplane.Network{}))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || d.there() != nil {
		t.Fatalf("opened without need: %v, %v", left, err)
	}

	// A network's links, of which the loopback takes the part.
	const loopback = 1
	n := dataplane.Network{Settings: dataplane.Settings{VNI: 4097, Kind: overlay.Bridged, Plane: overlay.PlaneEBPF}}
	if err := d.Pass().Forward(n, kernel.ProgramLinks{Gateway: loopback}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if demand(t, dir, host).there() == nil {
		t.Error("what an earlier run has left is not opened at once")
	}
}

func demand(t *testing.T, dir, host string) *Demand {
	t.Helper()
	d, err := OnDemand(Options{Dir: dir, Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestDemandRuns: who listens for stations does so until it is told to stop, whether
// programs were ever needed or not.
func TestDemandRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &Demand{opened: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx, kernel.Heard{}) }()
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
