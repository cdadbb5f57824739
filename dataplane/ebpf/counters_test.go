package ebpf

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/overlay"
	"weft/packet"
)

// counts are what is counted of a network, by who it is: a port, a node, "ports" and "nodes"
// for all of them.
func counts(t testing.TB, p dataplane.Plane, name overlay.NetworkName) map[string]overlay.Traffic {
	t.Helper()
	seen, err := p.Observe(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	v, found := seen.Networks[name], map[string]overlay.Traffic{}
	for _, l := range v.Links {
		if l.Port != "" && l.Traffic != nil {
			found[string(l.Port)] = *l.Traffic
		}
	}
	for _, n := range v.Nodes {
		found["node "+string(n.Node)] = *n.Traffic
	}
	found["ports"], found["nodes"] = *v.Traffic.Ports, *v.Traffic.Nodes
	return found
}

// exchange sends so many packets through a routed network from alice to bob and to carol, and
// from carol to alice, all of which are to arrive. It returns the length of one.
func (b *bed) exchange(t testing.TB, name overlay.NetworkName, packets int) (length int) {
	t.Helper()
	gateway, carol := vniOf(name).GatewayMAC(), station{mac: carol.mac, ip: netip.MustParseAddr("10.7.2.21")} // in b's block
	frame := func(from, to station, next overlay.MAC) []byte {
		e := packet.Ends{SrcMAC: from.mac, DstMAC: next, Src: from.ip, Dst: to.ip, TTL: 64}
		return e.UDP(4000, 4001, []byte("counted"))
	}
	for range packets {
		for _, in := range []struct {
			at    dataplanetest.Place
			frame []byte
		}{
			{placeOf(name, alice), frame(alice, bob, gateway)},
			{placeOf(name, alice), frame(alice, carol, gateway)},
			{dataplanetest.Underlay, tunnelled(name, frame(carol, alice, overlay.VTEPMACFor("a")))[packet.EthernetLen:]},
		} {
			if err := b.Inject(in.at, in.frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := b.Deliveries()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3*packets {
		t.Fatalf("want %d packets, got %d", 3*packets, len(got))
	}
	return len(frame(alice, bob, gateway))
}

// What is counted of ports and nodes is what was sent, to the byte; the sums outlive ports,
// nodes and the process, but not the network.
func TestTraffic(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("red")
	state.Networks["red"] = routed(state.Networks["red"]) // whose gateway says nothing to ports unasked
	bobless := state.Clone()
	delete(bobless.Networks["red"].Ports, "bob")
	memberless := bobless.Clone()
	delete(memberless.Networks["red"].Members, "b")

	const packets = 50
	b.apply(t, state)
	length := b.exchange(t, "red", packets)
	times := func(n uint64) overlay.Count {
		return overlay.Count{Packets: n * packets, Bytes: n * packets * uint64(length)}
	}
	want := map[string]overlay.Traffic{
		"alice": {From: times(2), To: times(1)}, "bob": {To: times(1)}, "node b": {From: times(1), To: times(1)},
		"ports": {From: times(2), To: times(2)}, "nodes": {From: times(1), To: times(1)},
	}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, counts(t, b.Plane, "red")); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", when, diff)
		}
		b.settled(t)
	}
	check("after traffic")

	b.Plane = b.another(t, openTested(t, b.options))
	defer func() {
		if err := b.Plane.Close(); err != nil {
			t.Error(err)
		}
	}()
	b.apply(t, state)
	check("in another process")

	b.apply(t, bobless)
	delete(want, "bob")
	check("without a port")
	b.apply(t, memberless)
	delete(want, "node b")
	check("without a node")

	b.apply(t, state)
	want["bob"], want["node b"] = overlay.Traffic{}, overlay.Traffic{}
	check("with a port and a node that are new")
	b.exchange(t, "red", packets)
	for who, more := range map[string]overlay.Traffic{
		"alice": {From: times(2), To: times(1)}, "bob": {To: times(1)}, "node b": {From: times(1), To: times(1)},
		"ports": {From: times(2), To: times(2)}, "nodes": {From: times(1), To: times(1)},
	} {
		want[who] = want[who].Plus(more)
	}
	check("after more traffic")

	b.apply(t, dataplane.State{Node: "a"})
	b.apply(t, state)
	for who := range want {
		want[who] = overlay.Traffic{}
	}
	check("in a network that is new")
}

// When there are more ports and nodes than counters, all are served and some not counted.
func TestCountersRunOut(t *testing.T) {
	t.Parallel()
	c := Counters{portOwner(1): 1, portOwner(2): 3}
	for _, tt := range []struct {
		count int
		want  []uint32
	}{{0, nil}, {1, []uint32{2}}, {2, []uint32{2, 4}}, {9, []uint32{2, 4, 5}}} {
		if got := c.free(tt.count, 6); !slices.Equal(got, tt.want) {
			t.Errorf("%d of those below 6: %v, want %v", tt.count, got, tt.want)
		}
	}
}
