package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// interruptedTunnels does the first count of the ops that make tunnels which stand alone, as a plane
// does that is killed then, and returns how many there are. Programs are somebody else's.
func interruptedTunnels(t testing.TB, p *Plane, s dataplane.State, count int) int {
	t.Helper()
	h := p.newHand()
	defer h.Close()
	p.want = s
	ops := Diff(LowerTunnels(s.Tunnels), NewObjects())
	want, err := p.hostWant(h, s)
	if err != nil {
		t.Fatal(err)
	}
	host, err := p.hostOps(h, want)
	if err != nil {
		t.Fatal(err)
	}
	for i, op := range append(ops, host...)[:min(count, len(ops)+len(host))] {
		var err error
		switch o := op.(type) {
		case forwardTunnel:
		case setSysctl:
			if i < len(ops) {
				err = o.do(h)
			} else {
				err = p.setHost(o)
			}
		default:
			err = op.do(h)
		}
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	return len(ops) + len(host)
}

// downAfterKill fails the test unless Down leaves the host as it was, after a kill at every nth step of
// what makes the tunnels.
func (p tunnelPair) downAfterKill(t *testing.T, s dataplane.State, every int) {
	t.Helper()
	before := all(t, p.a.ns)
	for steps, done := 1, 0; done < steps; done += every {
		steps = interruptedTunnels(t, p.a.plane, s, done+1)
		if _, err := Down(context.Background(), p.a.plane.Options); err != nil {
			t.Fatalf("after %d steps: %v", done+1, err)
		}
		if after := all(t, p.a.ns); after != before {
			t.Fatalf("after %d steps: before:\n%s\nafter:\n%s", done+1, before, after)
		}
	}
}

// everything has a tunnel have all that an interface can.
func everything(s *overlay.TunnelSpec) {
	s.Addresses = append(s.Addresses, netip.MustParsePrefix("10.40.0.1/24"), netip.MustParsePrefix("fd40::1/64"))
	s.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.41.0.0/24"), Metric: 20}, {Prefix: netip.MustParsePrefix("fd41::/64")}}
	if s.Mode.Ethernet() {
		s.MAC = overlay.MAC{0x02, 0, 0, 0, 0x77, 0x02}
		s.Neighbors = []overlay.TunnelNeighbor{{Address: netip.MustParseAddr("10.40.0.9"), MAC: vxlanFar}}
	}
}

// Down after a kill at any step leaves nothing of a tunnel, and an Apply makes it whole.
func TestTunnelDownAfterKill(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]overlay.TunnelSpec{
		"kernel": {Mode: overlay.TunnelVXLAN, VNI: 42, Plane: overlay.PlaneKernel, FDB: []overlay.TunnelStation{{MAC: vxlanFar, VTEP: netip.MustParseAddr("192.0.2.9")}}},
		"ebpf":   {Mode: overlay.TunnelGRE, OutChecksum: true, Plane: overlay.PlaneEBPF}, "ebpf, vxlan": {Mode: overlay.TunnelVXLAN, VNI: 42, Plane: overlay.PlaneEBPF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTunnelPair(t)
			everything(&spec)
			plane := spec.Plane
			tunnel := p.tunnel(overlay.V4, spec)
			tunnel.Spec.Plane = plane
			p.downAfterKill(t, tunnelState(tunnel), 1)
			if plane != overlay.PlaneKernel {
				return // whole with programs alone
			}
			for steps, done := 1, 0; done < steps; done += 2 {
				steps = interruptedTunnels(t, p.a.plane, tunnelState(tunnel), done+1)
				p.a.apply(tunnelState(tunnel))
				p.a.tunnelsSettled()
				p.a.apply(tunnelState())
			}
		})
	}
}

// So it is with a tunnel that is a part of a network, of which the rest is TestDownAfterKill's.
func TestAttachedTunnelDownAfterKill(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	p, state := n.withTunnel(t, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, VNI: 42})
	before := all(t, p.a.ns) + all(t, n.workloads[0])
	net := state.Networks["blue"]
	steps := 0
	for done, op := range Diff(LowerNetwork(net, p.a.dir), NewObjects()) {
		if !slices.ContainsFunc(linksOf(op), func(id LinkID) bool { return id.Name == "neta" }) {
			continue
		}
		steps++
		interrupted(t, p.a.plane, net, done+1)
		if _, err := Down(context.Background(), p.a.plane.Options); err != nil {
			t.Fatalf("after %d steps: %v", done+1, err)
		}
		if after := all(t, p.a.ns) + all(t, n.workloads[0]); after != before {
			t.Fatalf("after %d steps: before:\n%s\nafter:\n%s", done+1, before, after)
		}
		if left, err := netns.List(p.a.dir); err != nil || len(left) > 0 {
			t.Fatalf("after %d steps: namespaces left: %v, %v", done+1, left, err)
		}
	}
	if steps < 3 {
		t.Errorf("%d steps are about the tunnel", steps)
	}
}

// downAfterKills is downAfterKill for some tunnels of those that a stock kernel has, at some steps: there
// everything takes long.
func (m manyTunnels) downAfterKills(t *testing.T, names ...string) {
	state := tunnelState()
	for _, name := range names {
		tunnel := m.state.Tunnels[overlay.TunnelName(fmt.Sprintf("t%d", m.at(name)))]
		state.Tunnels[tunnel.Name] = tunnel
	}
	m.downAfterKill(t, state, 4)
}
