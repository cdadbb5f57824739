package kernel

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"weft/dataplane"
	"weft/overlay"
)

const manyRemotes = 10_000

// withRemotes adds endpoints to host b: MAC and addresses are numbers from first.
func withRemotes(s dataplane.State, first, count int) dataplane.State {
	next := dataplane.State{Node: s.Node, Generation: s.Generation + 1}
	net := s.Networks["blue"]
	d := dataplane.NetworkDelta{
		Remotes:   dataplane.Changes[overlay.MAC, overlay.NodeName]{Set: map[overlay.MAC]overlay.NodeName{}},
		Neighbors: dataplane.Changes[netip.Addr, overlay.MAC]{Set: map[netip.Addr]overlay.MAC{}},
	}
	for i := first; i < first+count; i++ {
		mac := overlay.MAC{2, 1}
		binary.BigEndian.PutUint32(mac[2:], uint32(i))
		d.Remotes.Set[mac] = "b"
		d.Neighbors.Set[netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(i)})] = mac
		ip6 := netip.MustParseAddr("fd07::1:0:0").As16()
		binary.BigEndian.PutUint32(ip6[12:], uint32(i))
		d.Neighbors.Set[netip.AddrFrom16(ip6)] = mac
		d.Neighbors.Set[mac.LinkLocal()] = mac
	}
	next = s.With(dataplane.Delta{From: s.Generation, To: next.Generation, Networks: map[overlay.NetworkName]dataplane.NetworkDelta{net.Name: d}})
	return next
}

// With very many remote endpoints, a change costs what the change is, and a look
// at everything a fraction of a second.
func TestManyRemotes(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	ctx := context.Background()
	big := withRemotes(n.state(0), 1000, manyRemotes)
	timed := func(what string, f func()) time.Duration {
		start := time.Now()
		f()
		took := time.Since(start)
		t.Logf("%s: %v", what, took)
		return took
	}
	timed("first apply", func() { h.apply(big) })
	timed("second apply", func() { h.apply(big) })
	// The best of some: others use the machine too.
	best := time.Hour
	for i := range 20 {
		next := withRemotes(big, 20000+i, 1)
		d := dataplane.Between(big, next)
		best = min(best, timed("one more", func() {
			if err := h.plane.Apply(ctx, next, &d); err != nil {
				t.Fatal(err)
			}
		}))
		big = next
	}
	if best > 10*time.Millisecond {
		t.Errorf("one more remote endpoint took %v", best)
	}
	h.settled()
}
