package control

import (
	"slices"
	"testing"

	"weft/overlay"
	"weft/store"
)

func endpoint(network, name, node string, revision int64) *overlay.Endpoint {
	return &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name, UID: name, Generation: revision, Revision: revision},
		Spec: overlay.EndpointSpec{Node: overlay.NodeName(node), Port: overlay.PortSingle},
	}
}

var (
	aInterest    = ownInterest("a")
	blueInterest = networkInterest("blue")
)

func at(n int64) overlay.Revision { return overlay.Revision{Incarnation: "i", Number: n} }

func puts(rs ...overlay.Resource) store.Batch {
	return store.Batch{Revision: at(rs[len(rs)-1].Header().Revision), Puts: rs}
}

// TestTableEndpointLeavesThisNode: the own watch says the endpoint is gone, the
// network's says it is elsewhere, in either order: it ends up elsewhere.
func TestTableEndpointLeavesThisNode(t *testing.T) {
	t.Parallel()
	moved := puts(endpoint("blue", "web", "b", 9))
	left := store.Batch{Revision: at(9), Deletes: []overlay.Key{moved.Puts[0].Key()}}
	for name, ownFirst := range map[string]bool{"own watch first": true, "network watch first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable("a")
			table.merge(ownSource, aInterest, puts(endpoint("blue", "web", "a", 5)))
			table.merge(networkSource, blueInterest, puts(endpoint("blue", "web", "a", 5)))
			var deletes []overlay.Key
			own := func() { _, d := table.merge(ownSource, aInterest, left); deletes = append(deletes, d...) }
			if ownFirst {
				own()
			}
			news, d := table.merge(networkSource, blueInterest, moved)
			deletes = append(deletes, d...)
			if !ownFirst {
				own()
			}
			if len(news) != 1 || len(deletes) != 0 {
				t.Fatalf("news %v, deletes %v: want the endpoint on b and nothing deleted", news, deletes)
			}
			_, d = table.merge(networkSource, blueInterest, store.Batch{Revision: at(12), Deletes: left.Deletes})
			if len(d) != 1 || len(table.entries) != 0 {
				t.Fatalf("after its deletion: deletes %v, entries %v", d, table.entries)
			}
		})
	}
}

func TestTableResetEndsWhatIsNotListed(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	table.merge(networkSource, blueInterest, puts(endpoint("blue", "web", "b", 3), endpoint("blue", "db", "b", 4)))
	table.merge(networkSource, networkInterest("green"), puts(endpoint("green", "web", "b", 4)))

	reset := store.Batch{Revision: at(8), Reset: true, Puts: []overlay.Resource{endpoint("blue", "db", "b", 4)}}
	news, deletes := table.merge(networkSource, blueInterest, reset)
	if len(news) != 0 {
		t.Errorf("a resync repeated %v, which had not changed", news)
	}
	if want := []overlay.Key{endpoint("blue", "web", "b", 0).Key()}; !slices.Equal(deletes, want) {
		t.Errorf("deletes %v, want %v", deletes, want)
	}
}

// TestTableLagging: a watch that lags behind what this node wrote itself changes nothing.
func TestTableLagging(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	web := endpoint("blue", "web", "a", 7)
	table.put(ownSource, web)

	_, deletes := table.merge(ownSource, aInterest, store.Batch{Revision: at(6), Deletes: []overlay.Key{web.Key()}})
	if len(deletes) != 0 {
		t.Errorf("the deletion of an earlier web took the new one away: %v", deletes)
	}
	_, deletes = table.merge(ownSource, aInterest, store.Batch{Revision: at(6), Reset: true})
	if len(deletes) != 0 {
		t.Errorf("a list from before web was made took it away: %v", deletes)
	}

	table.drop(web.Key(), 8)
	if news, _ := table.merge(ownSource, aInterest, puts(web)); len(news) != 0 {
		t.Errorf("an old event brought a deleted endpoint back: %v", news)
	}
	if news, _ := table.merge(ownSource, aInterest, puts(endpoint("blue", "web", "a", 9))); len(news) != 1 {
		t.Errorf("a new endpoint of the same name was ignored")
	}
}

func TestTableOwnNetworks(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	station := endpoint("red", "station-1", "a", 2)
	station.Spec.Port = overlay.PortStation
	table.merge(networkSource, blueInterest, puts(endpoint("blue", "web", "a", 1), station, endpoint("green", "db", "b", 3)))
	if len(table.own) != 1 || len(table.own["blue"]) != 1 {
		t.Errorf("own networks %v, want blue only", table.own)
	}
	table.put(networkSource, endpoint("blue", "web", "b", 5))
	if len(table.own) != 0 {
		t.Errorf("own networks %v after the endpoint moved away", table.own)
	}
}

// TestTableStatus: a heartbeat is kept, and sets nothing in motion.
func TestTableStatus(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	node := func(generation, revision int64, version string) *overlay.Node {
		return &overlay.Node{
			Meta:   overlay.Meta{Kind: overlay.KindNode, Name: "b", UID: "u", Generation: generation, Revision: revision},
			Status: overlay.NodeStatus{Version: version},
		}
	}
	for _, step := range []struct {
		node *overlay.Node
		news bool
	}{{node(1, 5, ""), true}, {node(1, 6, "v1"), false}, {node(2, 7, "v1"), true}, {node(1, 6, "v1"), false}} {
		if news, _ := table.merge(nodesSource, store.Interest{}, puts(step.node)); (len(news) == 1) != step.news {
			t.Errorf("revision %d: news %v, want %v", step.node.Revision, news, step.news)
		}
	}
	if got := table.entries[node(0, 0, "").Key()].resource.(*overlay.Node); got.Generation != 2 || got.Status.Version != "v1" {
		t.Errorf("kept %+v", got)
	}
}

func TestTableUnwatchKeepsOwn(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	table.merge(ownSource, aInterest, puts(endpoint("blue", "web", "a", 1)))
	table.merge(networkSource, blueInterest, puts(endpoint("blue", "web", "a", 1), endpoint("blue", "db", "b", 2)))
	deletes := table.unwatch(networkSource, blueInterest)
	if len(deletes) != 1 || deletes[0].Name != "db" {
		t.Errorf("deletes %v, want db only", deletes)
	}
}

// TestTableSameAgain: what two watches say, or the cache and a watch, is kept once; unless
// one of them understood it better.
func TestTableSameAgain(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	first, again := web("blue", "web", "b", 5), web("blue", "web", "b", 5)
	first.Revision, again.Revision = 5, 5
	table.put(networkSource, first)
	if table.put(ownSource, again) || table.entries[first.Key()].resource != overlay.Resource(first) {
		t.Error("the same again is news, or kept twice")
	}
	better := web("blue", "web", "b", 5)
	better.Revision, better.Spec.Blocks = 5, []string{"later"}
	if !table.put(networkSource, better) || table.entries[first.Key()].resource != overlay.Resource(better) {
		t.Error("what is understood now that was not before is no news")
	}
}
