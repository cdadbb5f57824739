package dataplane_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
)

// difference between two States: collections that are empty are like absent ones.
func difference(got, want dataplane.State) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}))
}

var (
	names     = rapid.SampledFrom([]overlay.NetworkName{"blue", "green", "red"})
	nodes     = rapid.SampledFrom([]overlay.NodeName{"b", "c", "d"})
	endpoints = rapid.SampledFrom([]overlay.EndpointName{"web", "db", "log"})
	macs      = rapid.SampledFrom([]overlay.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}})
	addresses = rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("10.7.0.2"), netip.MustParseAddr("10.7.0.3"), netip.MustParseAddr("fd07::2")})
	prefixes  = rapid.SampledFrom([]netip.Prefix{netip.MustParsePrefix("10.8.1.0/24"), netip.MustParsePrefix("10.8.2.0/24"), netip.MustParsePrefix("fd08::/64")})
	reasons   = rapid.SampledFrom([]string{"one", "another"})
)

func anyState(generation uint64) *rapid.Generator[dataplane.State] {
	return rapid.Custom(func(t *rapid.T) dataplane.State {
		return dataplane.State{
			Node: "a", Generation: generation,
			Networks: rapid.MapOf(names, rapid.Custom(anyNetwork)).Draw(t, "networks"),
			Held:     rapid.MapOf(names, reasons).Draw(t, "held"),
			Problems: rapid.MapOf(names, rapid.SliceOfN(reasons, 1, 2)).Draw(t, "problems"),
		}
	})
}

// anyNetwork draws each collection from few keys, or none at all.
func anyNetwork(t *rapid.T) dataplane.Network {
	n := dataplane.Network{
		Ports: rapid.MapOf(endpoints, rapid.Custom(anyPort)).Draw(t, "ports"),
		Members: rapid.MapOf(nodes, rapid.Custom(func(t *rapid.T) dataplane.Member {
			return dataplane.Member{VTEP: addresses.Draw(t, "vtep"), VTEPMAC: macs.Draw(t, "vtep mac")}
		})).Draw(t, "members"),
		Routes: rapid.MapOf(prefixes, rapid.Custom(func(t *rapid.T) dataplane.Route {
			return dataplane.Route{Node: nodes.Draw(t, "node"), Direct: rapid.Bool().Draw(t, "direct"), Via: addresses.Draw(t, "via")}
		})).Draw(t, "routes"),
	}
	if rapid.Bool().Draw(t, "settled") {
		n.Settings = dataplane.Settings{
			VNI: 4097, MTU: rapid.IntRange(1450, 1451).Draw(t, "mtu"),
			Blocks: rapid.SliceOfN(prefixes, 0, 2).Draw(t, "blocks"),
		}
	}
	if rapid.Bool().Draw(t, "bridged") {
		n.Remotes = rapid.MapOf(macs, nodes).Draw(t, "remotes")
		n.Neighbors = rapid.MapOf(addresses, macs).Draw(t, "neighbors")
	}
	return n
}

func anyPort(t *rapid.T) dataplane.Port {
	return dataplane.Port{
		Name: "p", MAC: macs.Draw(t, "mac"), Device: reasons.Draw(t, "device"),
		Addresses: rapid.SliceOfN(addresses, 0, 2).Draw(t, "addresses"),
	}
}

func TestDeltaLeadsFromOneStateToTheNext(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyState(1).Draw(t, "a"), anyState(2).Draw(t, "b")
		before := a.Clone()
		d := dataplane.Between(a, b)
		if diff := difference(a.With(d), b); diff != "" {
			t.Fatalf("With(Between(a, b)) is not b:\n%s", diff)
		}
		if diff := difference(a, before); diff != "" {
			t.Fatalf("With changed its receiver:\n%s", diff)
		}
		a.Update(d)
		if diff := difference(a, b); diff != "" {
			t.Fatalf("Update(Between(a, b)) is not b:\n%s", diff)
		}
	})
}

// TestDeltaIsMinimal: nothing that stays is in a Delta.
func TestDeltaIsMinimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anyState(1).Draw(t, "a")
		if d := dataplane.Between(a, a.Clone()); len(d.Networks) != 0 {
			t.Fatalf("between a State and itself: %+v", d.Networks)
		}
	})
}

func TestDeltaOfOneChange(t *testing.T) {
	t.Parallel()
	mac, ip := overlay.MAC{2, 0, 0, 0, 0, 9}, netip.MustParseAddr("10.7.0.9")
	a := dataplane.State{Generation: 6, Networks: map[overlay.NetworkName]dataplane.Network{
		"blue": {
			Settings:  dataplane.Settings{Name: "blue", MTU: 1450},
			Remotes:   map[overlay.MAC]overlay.NodeName{mac: "b"},
			Neighbors: map[netip.Addr]overlay.MAC{ip: mac},
		},
		"red": {Settings: dataplane.Settings{Name: "red"}},
	}}
	b := a.Clone()
	b.Generation = 7
	b.Networks["blue"].Remotes[mac] = "c"
	delete(b.Networks["blue"].Neighbors, ip)
	delete(b.Networks, "red")
	want := dataplane.Delta{From: 6, To: 7, Networks: map[overlay.NetworkName]dataplane.NetworkDelta{
		"blue": {
			Remotes:   dataplane.Changes[overlay.MAC, overlay.NodeName]{Set: map[overlay.MAC]overlay.NodeName{mac: "c"}},
			Neighbors: dataplane.Changes[netip.Addr, overlay.MAC]{Gone: map[netip.Addr]struct{}{ip: {}}},
		},
		"red": {Gone: true},
	}}
	if diff := cmp.Diff(want, dataplane.Between(a, b), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestCloneStandsAlone clears every collection of a State, and wants its Clone
// untouched.
func TestCloneStandsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anyState(1).Draw(t, "a")
		kept, again := a.Clone(), a.Clone()
		for name, n := range a.Networks {
			clear(n.Ports)
			clear(n.Remotes)
			clear(n.Neighbors)
			clear(n.Members)
			clear(n.Routes)
			delete(a.Networks, name)
		}
		clear(a.Held)
		clear(a.Problems)
		if diff := difference(kept, again); diff != "" {
			t.Fatalf("the Clone changed with its original:\n%s", diff)
		}
	})
}

func TestLinkLocalOf(t *testing.T) {
	t.Parallel()
	if got := (dataplane.Port{MAC: overlay.MAC{2, 0, 0, 0, 0, 2}}).LinkLocalOf(); got.String() != "fe80::ff:fe00:2" {
		t.Errorf("LinkLocalOf = %s", got)
	}
	if got := (dataplane.Port{Kind: overlay.PortSegment}).LinkLocalOf(); got.IsValid() {
		t.Errorf("LinkLocalOf a segment port = %s, want none", got)
	}
}

func TestSortedKeys(t *testing.T) {
	t.Parallel()
	low, high := netip.MustParseAddr("10.7.0.2"), netip.MustParseAddr("fd07::2")
	got := dataplane.SortedKeys(map[netip.Addr]bool{high: true, low: true}, netip.Addr.Compare)
	if diff := cmp.Diff([]netip.Addr{low, high}, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}
