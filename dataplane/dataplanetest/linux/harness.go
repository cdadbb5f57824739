// Package linux holds a plane to the contract on Linux: its Harness is a host in a network
// namespace, whose ports' far ends and whose underlay the suite holds through packet
// sockets and taps.
//
// It knows where a plane's ports end, and nothing else of how it forwards.
package linux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/overlay"
)

// Subject is the plane under test. All fields but Untold, OnHost and Drain are required.
type Subject struct {
	// New makes the plane, which the harness closes. What else it makes is to go in a
	// cleanup.
	New func(t testing.TB, on Host) dataplane.Plane
	// Name is the plane's, which the networks' settings get.
	Name overlay.PlaneName
	// Attach is how single ports are attached: AttachVeth or AttachTap.
	Attach overlay.AttachType
	// OnHost: its ports' near ends are in the host's namespace, not in their network's.
	OnHost bool
	// Untold are the reasons for drops that it cannot tell, beside those that it says.
	Untold []overlay.DropReason
	// Drain waits until what a process of the plane's had in its hands is the kernel's again;
	// nil: it has none. Such a process runs on the first CPU that this one may run on.
	Drain func() error
}

// Host is where the plane works.
type Host struct {
	// Namespace is the path of the host's.
	Namespace string
	// NetnsDir is the folder for those of the networks. StateDir is an empty one.
	NetnsDir, StateDir string
}

// Harness is a dataplanetest.Harness, and a Witness.
type Harness struct {
	// Plane is the one under test.
	Plane dataplane.Plane

	subject Subject
	*node
	*pump
	underlay wire
	ports    map[dataplanetest.Place]*port
	// untold are what the plane could not tell when it was asked last.
	untold []overlay.DropReason
}

var (
	_ dataplanetest.Harness = (*Harness)(nil)
	_ dataplanetest.Witness = (*Harness)(nil)
)

// New makes a host with a plane on it. It goes with the test.
func New(t testing.TB, s Subject) *Harness {
	t.Helper()
	n := newNode(t)
	plane := s.New(t, Host{Namespace: n.host, NetnsDir: n.netnsDir, StateDir: t.TempDir()})
	h := &Harness{
		Plane: plane, subject: s, node: n, ports: map[dataplanetest.Place]*port{},
		underlay: n.open(t, n.underlay, "far"),
		pump:     newPump(n.open(t, n.wires, "marker0"), n.open(t, n.wires, "marker1")),
	}
	t.Cleanup(func() {
		h.stop()
		errs := []error{plane.Close()}
		for _, p := range h.ports {
			errs = append(errs, p.close())
		}
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Apply implements dataplanetest.Harness.
func (h *Harness) Apply(want dataplane.State, since *dataplane.Delta) error {
	want, since = dataplanetest.Placed(want, since, h.place)
	h.name(want, since)
	if err := h.makeBridges(want); err != nil {
		return err
	}
	if err := h.Plane.Apply(context.Background(), want, since); err != nil {
		return err
	}
	for name, n := range want.Networks {
		if err := h.unlimit(name); err != nil {
			return err
		}
		for _, p := range n.Ports {
			if p.Tunnel != nil {
				continue // it ends at the underlay
			}
			if err := h.attach(name, p); err != nil {
				return fmt.Errorf("attach to %s/%s: %w", name, p.Name, err)
			}
		}
	}
	return nil
}

// name puts the networks of a State and a Delta, which are our own, on the plane.
func (h *Harness) name(s dataplane.State, since *dataplane.Delta) {
	for name, n := range s.Networks {
		n.Plane = h.planeOf(n.Encapsulation)
		s.Networks[name] = n
		h.nameTunnels(n.Encapsulation, n.Ports)
	}
	if since == nil {
		return
	}
	for name, d := range since.Networks {
		h.nameTunnels(s.Networks[name].Encapsulation, d.Ports.Set)
		if d.Settings != nil {
			settings := *d.Settings
			settings.Plane = h.planeOf(settings.Encapsulation)
			d.Settings = &settings
			since.Networks[name] = d
		}
	}
}

// nameTunnels puts the tunnels among a network's ports on its plane.
func (h *Harness) nameTunnels(e overlay.Encapsulation, ports map[overlay.EndpointName]dataplane.Port) {
	for name, p := range ports {
		if p.Tunnel != nil {
			t := *p.Tunnel
			t.Spec.Plane = h.planeOf(e)
			p.Tunnel = &t
			ports[name] = p
		}
	}
}

// planeOf is the plane of networks with an encapsulation: the one under test, or the kernel's if
// that does not do it, as a node has it beside.
func (h *Harness) planeOf(e overlay.Encapsulation) overlay.PlaneName {
	if h.subject.Name.Carries(e) {
		return h.subject.Name
	}
	return overlay.PlaneKernel
}

// unlimit lets a network's gateway send as many ICMP errors as there is cause for.
func (h *Harness) unlimit(name overlay.NetworkName) error {
	return trySysctls(h.domain(name), map[string]string{
		"net/ipv4/icmp_ratemask": "0", "net/ipv6/icmp/ratelimit": "0",
	})
}

// Drops implements dataplanetest.Harness.
func (h *Harness) Drops() (map[overlay.DropReason]uint64, error) {
	seen, err := h.Plane.Observe(context.Background(), "")
	sum := maps.Clone(seen.Drops)
	if sum == nil {
		sum = map[overlay.DropReason]uint64{}
	}
	h.untold = slices.Clone(h.subject.Untold)
	for _, n := range seen.Networks {
		h.untold = append(h.untold, n.Untold...)
		for why, count := range n.Drops {
			sum[why] += count
		}
	}
	return sum, err
}

// Untold implements dataplanetest.Harness.
func (h *Harness) Untold() []overlay.DropReason { return h.untold }
