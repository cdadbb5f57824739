package kernel

import (
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

func TestPing(t *testing.T) {
	t.Parallel()
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		for _, underlay := range []overlay.Family{overlay.V4, overlay.V6} {
			t.Run(string(kind)+" over "+string(underlay), func(t *testing.T) {
				t.Parallel()
				n := newTestNet(t, 3, kind, underlay)
				for i, h := range n.bed.hosts {
					h.apply(n.state(i))
					h.settled()
				}
				for i := range n.bed.hosts {
					for j := range n.bed.hosts {
						for _, a := range n.endpoint(j).Addresses {
							switch {
							case !a.IsLinkLocalUnicast():
								ping(t, n.workloads[i], a.String())
							case kind == overlay.Bridged:
								ping(t, n.workloads[i], a.String()+"%eth0")
							}
						}
					}
					for _, g := range n.spec.Gateways {
						ping(t, n.workloads[i], g.Addr().String())
					}
				}
			})
		}
	}
}

func newTestNet(t testing.TB, hosts int, kind overlay.NetworkKind, underlay overlay.Family) testNet {
	t.Helper()
	n := testNet{bed: newBed(t, hosts), spec: settings(kind, underlay)}
	for range hosts {
		ns := testenv.Namespace(t)
		testenv.Run(t, ns, "ip", "link", "set", "lo", "up")
		n.workloads = append(n.workloads, ns)
	}
	return n
}

func TestRemove(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	before := testenv.Output(t, h.ns, "ip", "-o", "address") + testenv.Output(t, n.workloads[0], "ip", "-o", "address")
	h.apply(n.state(0))
	h.apply(dataplane.State{Generation: 2})
	after := testenv.Output(t, h.ns, "ip", "-o", "address") + testenv.Output(t, n.workloads[0], "ip", "-o", "address")
	if before != after {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if left, err := netns.List(h.dir); err != nil || len(left) > 0 {
		t.Errorf("namespaces left: %v, %v", left, err)
	}
}
