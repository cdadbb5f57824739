package ebpf

import (
	"context"
	"os"
	"testing"
	"testing/synctest"

	"weft/internal/testenv"
)

// TestDemand: nothing is opened, nor mounted, before a network needs it, and a run after
// one that did opens at once.
func TestDemand(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	dir, host := t.TempDir(), testenv.Namespace(t)
	t.Cleanup(func() {
		if err := Remove(dir); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	})
	d, err := OnDemand(dir, host)
	if err != nil {
		t.Fatal(err)
	}
	drops, err := d.Drops(0)
	if tidied := d.Tidy(func(uint32) bool { return false }); err != nil || tidied != nil || len(drops) > 0 || len(d.Untold()) == 0 {
		t.Errorf("before: drops %v, %v, tidied %v, untold %v", drops, err, tidied, d.Untold())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || d.there() != nil {
		t.Errorf("opened without need: %v, %v", left, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestDemandRuns: who listens for stations does so until it is told to stop, whether
// programs were ever needed or not.
func TestDemandRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &Demand{opened: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx, nil) }()
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
