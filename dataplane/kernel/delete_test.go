package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// withPorts adds ports whose other ends are left on the host.
func withPorts(s dataplane.State, count int) dataplane.State {
	next := s.Clone()
	next.Generation++
	for i := range count {
		p := dataplane.Port{
			Name: overlay.EndpointName(fmt.Sprintf("v%d", i)), Kind: overlay.PortSingle, MAC: overlay.MAC{2, 2, 0, 0, byte(i >> 8), byte(i)},
			Attach: overlay.Attach{Type: overlay.AttachVeth, Target: fmt.Sprintf("lent%d", i)}, Device: fmt.Sprintf("many%d", i),
		}
		p.Addresses = []netip.Addr{p.MAC.LinkLocal()}
		p.Allowed = p.Addresses
		next.Networks["blue"].Ports[p.Name] = p
		next.Networks["blue"].Neighbors[p.MAC.LinkLocal()] = p.MAC
	}
	return next
}

// TestDetachMany: ports that go at once go together, with both ends, and nothing
// that stays goes with them.
func TestDetachMany(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	a, b := n.bed.hosts[0], n.bed.hosts[1]
	few := n.state(0)
	many := withPorts(few, 20)
	b.apply(n.state(1))
	a.apply(many)
	a.settled()
	a.silence()
	few.Generation = many.Generation + 1
	d := dataplane.Between(many, few)
	if err := a.plane.Apply(context.Background(), few, &d); err != nil {
		t.Fatal(err)
	}
	a.settled()
	a.silence()
	links := testenv.Output(t, a.ns, "ip", "-o", "link") + testenv.Output(t, string(DomainNS(a.dir, "blue")), "ip", "-o", "link")
	if strings.Contains(links, ": many") || strings.Contains(links, ": lent") {
		t.Errorf("left over:\n%s", links)
	}
	ping(t, n.workloads[0], "10.7.0.17")
}

// TestMarkedLinkStays: a link that somebody marked for deletion who was killed then,
// and that is wanted again, does not go with the next ones.
func TestMarkedLinkStays(t *testing.T) {
	t.Parallel()
	ns := testenv.Namespace(t)
	for _, name := range []string{"kept", "gone1", "gone2"} {
		testenv.Run(t, ns, "ip", "link", "add", name, "type", "bridge")
	}
	h := newHand(ns)
	defer h.Close()
	s, err := h.in(Host)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.link("kept")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.send(unix.RTM_SETLINK, 0, linkMessage(unix.AF_UNSPEC, kept), doomed()); err != nil {
		t.Fatal(err)
	}
	if err := h.deleteLinks(Host, []string{"gone1", "gone2"}); err != nil {
		t.Fatal(err)
	}
	links := testenv.Output(t, ns, "ip", "-o", "link")
	if !strings.Contains(links, ": kept:") || strings.Contains(links, "gone") {
		t.Errorf("want kept and no other:\n%s", links)
	}
}

// BenchmarkDetachMany is the time to apply that 500 ports went at once.
func BenchmarkDetachMany(b *testing.B) {
	n := newTestNet(b, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	few := n.state(0)
	many := withPorts(few, 500)
	for b.Loop() {
		b.StopTimer()
		h.apply(many)
		few.Generation = many.Generation + 1
		d := dataplane.Between(many, few)
		b.StartTimer()
		if err := h.plane.Apply(b.Context(), few, &d); err != nil {
			b.Fatal(err)
		}
	}
}
