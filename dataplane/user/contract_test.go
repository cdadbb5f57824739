package user

import (
	"log/slog"
	"testing"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// bed is a host with the plane on it, whose forwarder is an Engine in this process.
type bed struct {
	*linux.Harness
	on     linux.Host
	engine *Engine
}

func newBed(t testing.TB, attach overlay.AttachType) *bed {
	b := &bed{}
	b.Harness = linux.New(t, linux.Subject{New: b.plane, Name: overlay.PlaneUser, Attach: attach, Drain: b.drain})
	return b
}

// plane makes the plane on a host.
func (b *bed) plane(t testing.TB, on linux.Host) dataplane.Plane {
	b.on, b.engine = on, NewEngine(on.Namespace, slog.New(slog.DiscardHandler))
	plane, err := kernel.New(kernel.Options{NetnsDir: on.NetnsDir, StateDir: on.StateDir, Host: on.Namespace, Carrier: b.engine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

// Its ports are the kernel plane's, which are held to all of the contract there.
func TestContract(t *testing.T) {
	t.Parallel()
	run := []func(*testing.T, overlay.Encapsulation, func(testing.TB) dataplanetest.Harness){
		dataplanetest.RunEncapsulationBriefly, dataplanetest.RunEncapsulation,
	}[testenv.Rounds(0, 1)]
	run(t, overlay.EncapUDP, func(t testing.TB) dataplanetest.Harness { return newBed(t, overlay.AttachVeth) })
}
