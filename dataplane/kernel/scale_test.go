package kernel

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"

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

// TestManyRemotes: what a delta says of one remote endpoint among very many is
// all that is done, and leaves the host as a full comparison would.
func TestManyRemotes(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	big := withRemotes(n.state(0), 1000, manyRemotes)
	h.apply(big)
	next := withRemotes(big, 20000, 1)
	d := dataplane.Between(big, next)
	if err := h.plane.Apply(context.Background(), next, &d); err != nil {
		t.Fatal(err)
	}
	h.settled()
	have, want := LowerChange(big.Networks["blue"], next.Networks["blue"], d.Networks["blue"], h.dir)
	if ops := Diff(want, have); len(ops) == 0 || len(ops) > 10 {
		t.Errorf("%d changes for one more remote endpoint: %v", len(ops), ops)
	}
}

// BenchmarkOneMoreRemote is the time to apply one more remote endpoint beside
// 10,000, and BenchmarkCompareAll that of comparing everything.
func BenchmarkOneMoreRemote(b *testing.B) {
	n := newTestNet(b, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	big := withRemotes(n.state(0), 1000, manyRemotes)
	h.apply(big)
	i := 0
	for b.Loop() {
		b.StopTimer()
		next := withRemotes(big, 20000+i, 1)
		d := dataplane.Between(big, next)
		i++
		b.StartTimer()
		if err := h.plane.Apply(b.Context(), next, &d); err != nil {
			b.Fatal(err)
		}
		big = next
	}
}

func BenchmarkCompareAll(b *testing.B) {
	n := newTestNet(b, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	big := withRemotes(n.state(0), 1000, manyRemotes)
	h.apply(big)
	for b.Loop() {
		h.apply(big)
	}
}
