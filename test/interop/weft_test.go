package interop

import (
	"context"
	"path/filepath"

	"weft/dataplane"
	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// weft has a host's network forwarded by one of Weft's planes.
func weft(plane overlay.PlaneName) func(p *pair, h *host) {
	return func(p *pair, h *host) {
		p.Helper()
		h.connect("eth0")
		h.forward(plane, p.network(h))
	}
}

// forward has a plane of the host's own forward a network.
func (h *host) forward(plane overlay.PlaneName, n dataplane.Network) {
	h.Helper()
	n.Plane = plane
	s := dataplane.State{Node: h.name, Generation: 1, Networks: map[overlay.NetworkName]dataplane.Network{name: n}}
	if err := h.plane(plane).Apply(context.Background(), s, nil); err != nil {
		h.Fatal(err)
	}
}

// plane makes the host's plane. It goes with the test, and what it made.
func (h *host) plane(name overlay.PlaneName) dataplane.Plane {
	h.Helper()
	domains := h.scratch("netns")
	o := kernel.Options{NetnsDir: domains, StateDir: h.TempDir(), Host: h.ns}
	if name == overlay.PlaneEBPF {
		o.Programs = h.programs()
	}
	h.Cleanup(func() { h.removeDomains(domains) })
	plane, err := kernel.New(o)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := plane.Close(); err != nil {
			h.Error(err)
		}
	})
	return plane
}

func (h *host) programs() *ebpf.Programs {
	h.Helper()
	dir := filepath.Join(h.TempDir(), testenv.Name(h, "bpf"))
	programs, err := ebpf.Open(ebpf.Options{Dir: dir, Host: h.ns})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		for _, err := range []error{programs.Close(), ebpf.Remove(dir, h.ns)} {
			if err != nil {
				h.Error(err)
			}
		}
	})
	return programs
}

func (h *host) removeDomains(dir string) {
	names, err := netns.List(dir)
	if err != nil {
		h.Error(err)
	}
	for _, name := range names {
		if err := netns.Delete(filepath.Join(dir, name)); err != nil {
			h.Error(err)
		}
	}
}
