package ebpf

import (
	"testing"

	"github.com/cilium/ebpf"

	"weft/dataplane"
	"weft/dataplane/dataplanetest/linux"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// bed is a host with the plane on it, whose ports' far ends and underlay the test holds.
type bed struct {
	*linux.Harness
	// dir has the pins; host is the path of the host's namespace.
	dir, host string
	programs  *Programs
}

func newBed(t testing.TB, attach overlay.AttachType) *bed {
	b := &bed{dir: t.TempDir()}
	b.Harness = linux.New(t, linux.Subject{
		New: b.plane, Name: overlay.PlaneEBPF, Attach: attach, OnHost: true, Untold: b.programs.Untold(),
	})
	return b
}

// plane makes the plane on a host.
func (b *bed) plane(t testing.TB, on linux.Host) dataplane.Plane {
	b.host, b.programs = on.Namespace, openSmall(t, b.dir, on.Namespace)
	t.Cleanup(func() {
		if err := Remove(b.dir); err != nil {
			t.Error(err)
		}
	})
	plane, err := kernel.New(kernel.Options{
		NetnsDir: on.NetnsDir, StateDir: on.StateDir, Host: on.Namespace, Programs: b.programs,
	})
	if err != nil {
		t.Fatal(err)
	}
	return plane
}

// room is how many entries the maps have in tests: to read a map costs what it has room for.
const room = 256

// smallPrograms are the programs with small maps.
func smallPrograms(t testing.TB) *ebpf.CollectionSpec {
	spec, err := loadPrograms()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range spec.Maps {
		if m.Type != ebpf.RingBuf {
			m.MaxEntries = min(m.MaxEntries, room)
		}
	}
	return spec
}

// openSmall opens the programs until the test ends.
func openSmall(t testing.TB, dir, host string) *Programs {
	t.Helper()
	p, err := open(dir, host, smallPrograms(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}
