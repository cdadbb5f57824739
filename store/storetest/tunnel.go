package storetest

import (
	"testing"

	"weft/overlay"
	"weft/store"
)

var tunnels = []check{
	{"TunnelClaims", tunnelClaims},
	{"TunnelNeeds", tunnelNeeds},
	{"WatchTunnels", watchTunnels},
	{"TunnelMoves", tunnelMoves},
}

// tunnelClaims: on a node an interface is one tunnel's, and so is what comes from a peer. One that stands
// alone and one of a network may have the same name otherwise.
func tunnelClaims(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, tunnel("", "x", "a", 10))[0]
	same := tunnel("", "y", "a", 10)
	want := store.ClaimedError{Claim: "outer/a/gretap/192.0.2.1/203.0.113.10", Holder: x.Key(), Key: same.Key()}
	if got := refused[*store.ClaimedError](t, s, store.Change{Put: same, Expect: store.Absent}); *got != want {
		t.Errorf("the same peer: got %+v, want %+v", *got, want)
	}
	device := tunnel("", "y", "a", 11)
	device.Spec.Device = "x"
	if got := refused[*store.ClaimedError](t, s, store.Change{Put: device, Expect: store.Absent}); got.Claim != "device/a/link/x" || got.Holder != x.Key() {
		t.Errorf("the same device: got %+v", *got)
	}
	attached := tunnel("blue", "x", "b", 10)
	create(t, s, attached)
	remove(t, s, x.Key())
	create(t, s, same)
}

func tunnelNeeds(t *testing.T, s store.Store) {
	attached := tunnel("blue", "x", "a", 10)
	create(t, s, network("blue", 4097))
	if got := refused[*store.MissingError](t, s, store.Change{Put: attached, Expect: store.Absent}); got.Need != node("a", 0).Key() {
		t.Errorf("without its node: got %+v", *got)
	}
	create(t, s, node("a", 1))
	create(t, s, attached, tunnel("", "y", "a", 11))
	if got := refused[*store.InUseError](t, s, store.Change{Delete: network("blue", 0).Key(), Expect: store.Any}); got.By != attached.Key() {
		t.Errorf("the network is in use by %s", got.By)
	}
	remove(t, s, attached.Key())
	remove(t, s, network("blue", 0).Key())
	if got := refused[*store.InUseError](t, s, store.Change{Delete: node("a", 0).Key(), Expect: store.Any}); got.By != tunnel("", "y", "", 0).Key() {
		t.Errorf("the node is in use by %s", got.By)
	}
}

// watchTunnels: who watches a node gets that node's, who watches a network that network's, and
// those that stand alone belong to no network.
func watchTunnels(t *testing.T, s store.Store) {
	kinds := []overlay.Kind{overlay.KindTunnel}
	interests := map[string]store.Interest{
		"all":             {Kinds: kinds},
		"node a":          {Kinds: kinds, Node: "a"},
		"blue":            {Kinds: kinds, Networks: []overlay.NetworkName{"blue"}},
		"blue on node a":  {Kinds: kinds, Networks: []overlay.NetworkName{"blue"}, Node: "a"},
		"red, on node b":  {Kinds: kinds, Networks: []overlay.NetworkName{"red", "none"}, Node: "b"},
		"with everything": {},
	}
	live := map[string]*watcher{}
	two(t, s)
	create(t, s, network("red", 4098))
	for name, in := range interests {
		live[name] = watch(t, s, in, overlay.Revision{})
		live[name].first()
	}
	all := create(t, s,
		tunnel("", "alone", "a", 10), tunnel("", "other", "b", 11),
		tunnel("blue", "here", "a", 12), tunnel("blue", "there", "b", 13), tunnel("red", "alone", "b", 14))
	want := map[string]replica{
		"all":             of(all[0], all[1], all[2], all[3], all[4]),
		"node a":          of(all[0], all[2]),
		"blue":            of(all[2], all[3]),
		"blue on node a":  of(all[2]),
		"red, on node b":  of(all[4]),
		"with everything": of(all[0], all[1], all[2], all[3], all[4]),
	}
	for name, in := range interests {
		w := live[name]
		for len(tunnelsIn(w.has)) < len(want[name]) {
			w.next()
		}
		same(t, name+", watched", tunnelsIn(w.has), want[name])
		same(t, name+", listed", tunnelsIn(watch(t, s, in, overlay.Revision{}).first()), want[name])
	}
	for _, r := range all {
		remove(t, s, r.Key())
	}
	for _, w := range live {
		for len(tunnelsIn(w.has)) > 0 {
			w.next()
		}
	}
}

// tunnelsIn are the tunnels that a watch shows.
func tunnelsIn(has replica) replica {
	some := replica{}
	for k, r := range has {
		if k.Kind == overlay.KindTunnel {
			some[k] = r
		}
	}
	return some
}

// tunnelMoves: a tunnel that is given to another node leaves what the first one watches.
func tunnelMoves(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, tunnel("", "x", "a", 10))[0]
	a := watch(t, s, store.Interest{Kinds: []overlay.Kind{overlay.KindTunnel}, Node: "a"}, overlay.Revision{})
	b := watch(t, s, store.Interest{Kinds: []overlay.Kind{overlay.KindTunnel}, Node: "b"}, overlay.Revision{})
	same(t, "node a", a.first(), of(x))
	same(t, "node b", b.first(), replica{})
	x.Spec.Node = "b"
	x = write(t, s, x, x.Revision)
	b.until(x)
	same(t, "node b afterwards", b.has, of(x))
	for len(a.has) > 0 {
		a.next()
	}
	remove(t, s, node("a", 0).Key())
}
