package kernel

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// compareWith is what compare makes of a host that has these objects.
func compareWith(n dataplane.Network, host Objects) comparison {
	p := &Plane{Options: Options{NetnsDir: "/run/netns"}}
	w := p.wantNetwork(n)
	m, have := newMany(w), newModel(host).Objects
	maps.DeleteFunc(have.Tunnels, m.tunnel)
	maps.DeleteFunc(have.Stations, m.station)
	maps.DeleteFunc(have.Neighbors, m.neighbor)
	return compared(w, have, m)
}

func allOps(c comparison) (ops []Op) {
	for part := range c.ops() {
		ops = append(ops, part...)
	}
	return ops
}

func sortedOps(ops []Op) []string {
	l := make([]string, len(ops))
	for i, op := range ops {
		if f, ok := op.(setFilters); ok {
			l[i] = "filters of " + string(f.NS) // the ones drawn are not always any that can be written
		} else {
			l[i] = op.String()
		}
	}
	slices.Sort(l)
	return l
}

// A comparison that makes no objects of the many says what Diff says of all objects, counts what
// that counts, and leads there in its order.
func TestComparisonIsDiff(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawNetwork(t, "blue", "from"), drawNetwork(t, "blue", "to")
		m := newModel(LowerNetwork(from, "/run/netns"))
		if rapid.IntRange(0, 9).Draw(t, "nothing there") == 0 {
			m = newModel(NewObjects())
		}
		tamper(t, m)
		want := LowerNetwork(to, "/run/netns")
		host := newModel(m.Objects).Objects
		c := compareWith(to, host)
		ops := allOps(c)
		if d := cmp.Diff(sortedOps(Diff(want, newModel(host).Objects)), sortedOps(ops)); d != "" {
			t.Fatalf("want (-), got (+):\n%s", d)
		}
		doAll(t, m, ops)
		if left := Diff(want, m.Objects); len(left) > 0 {
			t.Fatalf("still to do:\n%s\nafter\n%s", printed(left), printed(ops))
		}
		wanted, there := compareWith(to, m.Objects).count()
		if wanted != want.Len() || there != want.matching(m.Objects) {
			t.Fatalf("%d of %d are there, want %d of %d", there, wanted, want.matching(m.Objects), want.Len())
		}
	})
}

// large is a network with many remote stations, in parts for which one op each is more than a part holds.
func large() dataplane.Network {
	n := node(overlay.Bridged, overlay.V4)
	return withRemotes(n, 1000, 2*partSize+1).Networks["blue"]
}

// TestParts: a large change, and a large network, are done some at a time, all of it, and
// nothing is taken away before all else is there.
func TestParts(t *testing.T) {
	t.Parallel()
	n := large()
	few := n
	few.Remotes, few.Neighbors = map[overlay.MAC]overlay.NodeName{}, map[netip.Addr]overlay.MAC{{}: {}}
	for name, way := range map[string]struct{ old, next dataplane.Network }{"more": {few, n}, "less": {n, few}} {
		state := func(n dataplane.Network) dataplane.State {
			return dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{"blue": n}}
		}
		d := dataplane.Between(state(way.old), state(way.next)).Networks["blue"]
		got, gone := dataplane.NetworkDelta{}, false
		count := 0
		for part := range parts(d) {
			count++
			size := len(part.Remotes.Set) + len(part.Remotes.Gone) + len(part.Neighbors.Set) + len(part.Neighbors.Gone)
			taken := len(part.Remotes.Gone)+len(part.Neighbors.Gone) > 0
			if size > partSize || gone && !taken {
				t.Errorf("%s: a part of %d, which takes away: %v, after one that does: %v", name, size, taken, gone)
			}
			gone = gone || taken
			got.Remotes, got.Neighbors = joined(got.Remotes, part.Remotes), joined(got.Neighbors, part.Neighbors)
		}
		if count < 3 || !equalChanges(got.Remotes, d.Remotes) || !equalChanges(got.Neighbors, d.Neighbors) {
			t.Errorf("%s: %d parts do not make the whole", name, count)
		}
	}
	for ops := range compareWith(n, NewObjects()).ops() {
		if len(ops) > 2*partSize {
			t.Errorf("%d ops at once", len(ops))
		}
	}
}

func joined[K comparable, V any](a, b dataplane.Changes[K, V]) dataplane.Changes[K, V] {
	return dataplane.Changes[K, V]{Set: union(a.Set, b.Set), Gone: union(a.Gone, b.Gone)}
}

func equalChanges[K comparable, V comparable](a, b dataplane.Changes[K, V]) bool {
	return maps.Equal(a.Set, b.Set) && maps.Equal(a.Gone, b.Gone)
}

// TestManyRepaired: whatever is done to the entries of a large network, or to what they are on, one Apply
// makes all of them right again, and Compare counts what is there.
func TestManyRepaired(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	big := withRemotes(n.state(0), 1000, 2*partSize+1)
	h.apply(big)
	h.settled()
	domain := string(DomainNS(h.dir, "blue"))
	wanted := LowerNetwork(big.Networks["blue"], h.dir).Len()
	for _, argv := range [][]string{
		{"ip", "link", "delete", tunnelName},
		{"ip", "link", "delete", bridgeName},
		{"ip", "link", "set", bridgeName, "down"},
		{"ip", "neigh", "flush", "dev", bridgeName, "nud", "permanent"},
		{"bridge", "fdb", "replace", "02:01:00:00:03:e8", "dev", tunnelName, "dst", "192.0.2.77", "self", "permanent"},
		{"bridge", "fdb", "add", "02:01:00:00:00:01", "dev", tunnelName, "dst", "192.0.2.77", "self", "permanent"},
		{"bridge", "fdb", "delete", "02:01:00:00:03:e8", "dev", tunnelName, "master"},
	} {
		testenv.Run(t, domain, argv...)
		h.apply(big)
		h.settled()
		seen, err := h.plane.Compare(t.Context())
		v := seen.Networks["blue"]
		if err != nil || v.Wanted != wanted || v.Present != wanted || len(v.Differs) > 0 {
			t.Errorf("after %q: %d of %d are there, want all of %d; %v, %v", argv, v.Present, v.Wanted, wanted, v.Differs, err)
		}
		if len(v.Links)+len(v.FDB)+len(v.Neighbors)+len(v.Routes) > 0 {
			t.Error("Compare lists entries")
		}
	}
}
