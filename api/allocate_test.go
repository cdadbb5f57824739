package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/overlay"
	"weft/store"
)

// cluster is a world with one server, nodes a and b, and networks blue
// (bridged) and green (routed).
func cluster(t testing.TB) (*world, *Client) {
	t.Helper()
	w := newWorld(t)
	admin := w.client(t, overlay.RoleAdmin, "root", w.serve(t, nil))
	put(t, admin, node("a", 1))
	put(t, admin, node("b", 2))
	put(t, admin, network("blue", "", "10.7.0.0/24", "fd07::/64"))
	put(t, admin, network("green", overlay.Routed, "10.8.0.0/20", "fd08::/48"))
	return w, admin
}

func addresses(e *overlay.Endpoint) string {
	var words []string
	for _, a := range e.Spec.Addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

func TestChosenAddresses(t *testing.T) {
	t.Parallel()
	_, admin := cluster(t)
	for _, tt := range []struct {
		e      *overlay.Endpoint
		want   string
		blocks string
	}{
		{endpoint("blue", "first", "a"), "10.7.0.2 fd07::2", "[]"},
		{endpoint("blue", "asked", "a", "10.7.0.4"), "10.7.0.4", "[]"},
		{endpoint("blue", "both", "b", "10.7.0.200", "fd07::5"), "10.7.0.200 fd07::5", "[]"},
		{endpoint("blue", "second", "b"), "10.7.0.3 fd07::3", "[]"},
		{endpoint("blue", "around", "a"), "10.7.0.5 fd07::4", "[]"},
		{endpoint("green", "first", "a"), "10.8.0.2 fd08::2", "[10-8-0-0-24 fd08-0000-0000-0000-0000-0000-0000-0000-64]"},
		{endpoint("green", "second", "a"), "10.8.0.3 fd08::3", "[10-8-0-0-24 fd08-0000-0000-0000-0000-0000-0000-0000-64]"},
		{endpoint("green", "other", "b"), "10.8.1.1 fd08:0:0:1::1", "[10-8-1-0-24 fd08-0000-0000-0001-0000-0000-0000-0000-64]"},
		{endpoint("green", "asked", "b", "10.8.3.77"), "10.8.3.77", "[10-8-3-0-24]"},
	} {
		got := put(t, admin, tt.e)
		if addresses(got) != tt.want || fmt.Sprint(got.Spec.Blocks) != tt.blocks {
			t.Errorf("%s: %s in %v, want %s in %s", tt.e.Key(), addresses(got), got.Spec.Blocks, tt.want, tt.blocks)
		}
		if again := put(t, admin, tt.e); again.Revision != got.Revision {
			t.Errorf("%s: written again as it was asked for, it changed from %+v to %+v", tt.e.Key(), got.Spec, again.Spec)
		}
	}
}

func TestNamesAreChosen(t *testing.T) {
	t.Parallel()
	_, admin := cluster(t)
	stored, _, err := admin.Update(t.Context(), store.Change{Put: endpoint("blue", "", "a"), Expect: store.Absent})
	if err != nil || !strings.HasPrefix(stored.Key().Name, "a-") {
		t.Errorf("got %v, %v", stored, err)
	}
	long := strings.Repeat("x", overlay.MaxName)
	if name := chosenName(long); overlay.CheckName("", name) != nil {
		t.Errorf("chosen name %q", name)
	}
}

func TestEndpointRefusals(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	put(t, admin, network("small", "", "10.9.0.0/30"))
	put(t, admin, network("tiny", overlay.Routed, "10.10.0.0/30"))
	put(t, admin, endpoint("blue", "web", "a", "10.7.0.9"))
	put(t, admin, endpoint("green", "web", "a"))
	put(t, admin, endpoint("small", "only", "a"))
	put(t, admin, endpoint("tiny", "only", "a"))
	gateway := endpoint("blue", "x", "a")
	gateway.Spec.MAC = overlay.VNI(4097).GatewayMAC()
	bridge := endpoint("green", "x", "a")
	bridge.Spec.Attach = overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}
	same := endpoint("blue", "x", "a")
	same.Spec.Attach.Target = "/run/netns/blue-web"
	other := endpoint("blue", "web", "a")
	other.Spec.Attach = overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}

	for _, tt := range []struct {
		name  string
		e     *overlay.Endpoint
		code  Code
		words []string
	}{
		{"foreign", endpoint("blue", "x", "a", "10.8.0.2"), CodeInvalid, []string{"10.8.0.2 is not in the network's subnet 10.7.0.0/24", "none to have one chosen"}},
		{"no such family", endpoint("small", "x", "a", "fd00::5"), CodeInvalid, []string{"network small has no subnet for address fd00::5", "10.9.0.0/30"}},
		{"gateway", endpoint("blue", "x", "a", "10.7.0.1"), CodeInvalid, []string{"10.7.0.1 is the gateway"}},
		{"broadcast", endpoint("blue", "x", "a", "10.7.0.255"), CodeInvalid, []string{"10.7.0.255 is reserved"}},
		{"anycast", endpoint("blue", "x", "a", "fd07::"), CodeInvalid, []string{"fd07:: is reserved"}},
		{"taken", endpoint("blue", "x", "a", "10.7.0.9"), CodeClaimed, []string{"address 10.7.0.9 is taken by endpoint blue/web", "none to have one chosen"}},
		{"another node's block", endpoint("green", "x", "b", "10.8.0.77"), CodeInvalid, []string{"10.8.0.77 is in the block 10.8.0.0/24 of node a"}},
		{"a block's first", endpoint("green", "x", "b", "10.8.2.0"), CodeInvalid, []string{"10.8.2.0 is reserved"}},
		{"exhausted", endpoint("small", "x", "a"), CodeExhausted, []string{"no free address in subnet 10.9.0.0/30: 1 of 1 are taken", "larger subnet"}},
		{"exhausted blocks", endpoint("tiny", "x", "b"), CodeExhausted, []string{"no free block in subnet 10.10.0.0/30: 1 of 1 are taken"}},
		{"no network", endpoint("nowhere", "x", "a"), CodeMissing, []string{"endpoint nowhere/x: there is no network nowhere"}},
		{"no node", endpoint("blue", "x", "c"), CodeMissing, []string{"endpoint blue/x: there is no node c"}},
		{"no node on a routed network", endpoint("green", "x", "c"), CodeMissing, []string{"endpoint green/x: there is no node c"}},
		{"gateway's MAC", gateway, CodeInvalid, []string{"is that of the network's gateway"}},
		{"bridge on a routed network", bridge, CodeInvalid, []string{"network green is routed", "kind bridged"}},
		{"same interface", same, CodeClaimed, []string{"/run/netns/blue-web/eth0 on node a is taken by endpoint blue/web", "detach that first"}},
		{"another kind of port", other, CodeInvalid, []string{"its port is single and cannot become segment"}},
		{"two of a family", endpoint("blue", "x", "a", "10.7.0.5", "10.7.0.6"), CodeInvalid, []string{"at most one address of each family"}},
	} {
		t.Log(tt.name)
		w.refusal(t, try(t, admin, tt.e), tt.code, tt.words...)
		if tt.e.Name == "x" {
			if _, err := admin.Get(t.Context(), tt.e.Key()); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s was made all the same: %v", tt.e.Key(), err)
			}
		}
	}
	// What was refused holds nothing: the one address is free again.
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindEndpoint, Network: "small", Name: "only"}, false); err != nil {
		t.Fatal(err)
	}
	same.Network = "small"
	var claimed *store.ClaimedError
	if err := try(t, admin, same); !errors.As(err, &claimed) {
		t.Errorf("same interface: %v", err)
	}
	put(t, admin, endpoint("small", "x", "a"))
}

// Stations keep the addresses that they have, and may move behind another node.
func TestStations(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	a, b := w.client(t, overlay.RoleNode, "a", w.hosts[0]), w.client(t, overlay.RoleNode, "b", w.hosts[0])
	for node, c := range map[string]*Client{"a": a, "b": b} {
		segment := endpoint("blue", "segment-"+node, node)
		segment.Spec.Attach = overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}
		if got := put(t, c, segment); got.Spec.Port != overlay.PortSegment || !got.Spec.MAC.IsZero() || len(got.Spec.Addresses) > 0 {
			t.Errorf("segment %+v", got.Spec)
		}
	}
	mac := overlay.MAC{2, 0, 0, 0, 0, 9}
	station := func(node string, addresses ...string) *overlay.Endpoint {
		e := endpoint("blue", string(overlay.StationName(mac)), node, addresses...)
		e.Spec.Port, e.Spec.MAC, e.Spec.Attach = overlay.PortStation, mac, overlay.Attach{}
		e.Spec.Via = overlay.EndpointName("segment-" + node)
		return e
	}
	if got := put(t, a, station("a")); len(got.Spec.Addresses) != 0 {
		t.Errorf("a station was given addresses: %v", got.Spec.Addresses)
	}
	put(t, a, station("a", "192.168.0.5", "10.7.0.77"))
	if got := put(t, b, station("b", "10.7.0.77")); got.Spec.Node != "b" {
		t.Errorf("station %+v", got.Spec)
	}
	w.refusal(t, try(t, b, station("b", "10.7.0.1")), CodeInvalid, "10.7.0.1 is the network's gateway")
	if e := try(t, a, station("b")); !isForbidden(e) {
		t.Errorf("a node publishes another's station: %v", e)
	}
	// The port takes its stations along.
	if err := b.Remove(t.Context(), overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "segment-b"}, false); err != nil {
		t.Error(err)
	}
	if _, err := admin.Get(t.Context(), station("b").Key()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the station is still there: %v", err)
	}
}

func TestNetworkChanges(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	with := func(name string, kind overlay.NetworkKind, change func(*overlay.NetworkSpec), subnets ...string) error {
		n := network(name, kind, subnets...)
		if change != nil {
			change(&n.Spec)
		}
		return try(t, admin, n)
	}
	blue, green := []string{"10.7.0.0/24", "fd07::/64"}, []string{"10.8.0.0/20", "fd08::/48"}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{with("blue", "", func(s *overlay.NetworkSpec) { s.VNI = 5000 }, blue...), "the VNI is 4097 and cannot be changed to 5000"},
		{with("blue", overlay.Routed, nil, blue...), "the kind is bridged and cannot be changed to routed"},
		{with("blue", "", nil, "10.7.0.0/25", "fd07::/64"), "the subnet 10.7.0.0/24 can grow, but can neither shrink, move nor go"},
		{with("blue", "", nil, "10.7.0.0/24", "fd09::/64"), "the subnet fd07::/64 can grow, but can neither shrink, move nor go"},
		{with("green", overlay.Routed, nil, "fd08::/48"), "the subnet 10.8.0.0/20 can grow, but can neither shrink, move nor go"},
		{with("blue", "", func(s *overlay.NetworkSpec) {
			s.Gateways = []netip.Addr{netip.MustParseAddr("10.7.0.5"), netip.MustParseAddr("fd07::1")}
		}, blue...), "the gateway is 10.7.0.1 and cannot be changed to 10.7.0.5"},
		{with("green", overlay.Routed, func(s *overlay.NetworkSpec) { s.BlockBits4 = 25 }, green...), "blocks have a prefix length of 24"},
		{with("red", "", func(s *overlay.NetworkSpec) { s.MTU = 100 }, "10.9.0.0/24"), "MTU 100"},
		{with("red", "", nil), "no subnet"},
		{with("red", "", func(s *overlay.NetworkSpec) { s.Encapsulation = "ipip" }, "10.9.0.0/24"), "cannot carry a bridged network"},
	} {
		w.refusal(t, tt.err, CodeInvalid, tt.want)
	}
	var claimed *store.ClaimedError
	if err := with("red", "", func(s *overlay.NetworkSpec) { s.VNI = 4097 }, "10.9.0.0/24"); !errors.As(err, &claimed) || !strings.Contains(err.Error(), "VNI 4097 is taken by network blue") {
		t.Errorf("taken VNI: %v", err)
	}
	for name, err := range map[string]error{
		"as it is":        with("green", overlay.Routed, nil, green...),
		"MTU, BUM, port":  with("blue", "", func(s *overlay.NetworkSpec) { s.MTU, s.BUM, s.Port = 1400, overlay.BUMNone, 8472 }, blue...),
		"grow":            with("blue", "", nil, "10.7.0.0/16", "fd07::/64"),
		"grow downwards":  with("green", overlay.Routed, nil, "10.8.0.0/16", "fd08::/32"),
		"another network": with("red", "", nil, "10.7.0.0/24"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	n, err := admin.Get(t.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: "blue"})
	if spec := n.(*overlay.Network).Spec; err != nil || spec.Gateways[0].String() != "10.7.0.1" || spec.VNI != 4097 || spec.MTU != 0 {
		t.Errorf("blue is %+v, %v", spec, err)
	}
}

func TestNodeRemoval(t *testing.T) {
	t.Parallel()
	_, admin := cluster(t)
	key := overlay.Key{Kind: overlay.KindNode, Name: "a"}
	blue, green := put(t, admin, endpoint("blue", "web", "a")), put(t, admin, endpoint("green", "web", "a"))
	put(t, admin, endpoint("green", "web-b", "b"))
	var used *store.InUseError
	if err := admin.Remove(t.Context(), key, false); !errors.As(err, &used) || used.By != blue.Key() {
		t.Errorf("remove a node in use: %v", err)
	}
	if blocks, _, err := admin.List(t.Context(), overlay.KindBlock, "green", "a"); err != nil || len(blocks) != 2 {
		t.Errorf("the refused removal left %d blocks, %v", len(blocks), err)
	}
	if err := admin.Remove(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	for _, k := range []overlay.Key{key, blue.Key(), green.Key()} {
		if _, err := admin.Get(t.Context(), k); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s is still there: %v", k, err)
		}
	}
	// Its block is free again, the other's is not.
	blocks, _, err := admin.List(t.Context(), overlay.KindBlock, "", "")
	if err != nil || len(blocks) != 2 || blocks[0].(*overlay.Block).Spec.Node != "b" {
		t.Errorf("blocks %v, %v", blocks, err)
	}
	// Without endpoints, a node's blocks go with it unasked.
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindEndpoint, Network: "green", Name: "web-b"}, false); err != nil {
		t.Error(err)
	}
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNode, Name: "b"}, false); err != nil {
		t.Errorf("remove a node without endpoints: %v", err)
	}
}

// Two servers whose views of the store are late, many requests at once, until
// the networks are full: every address is given exactly once, and then none.
func TestNoDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behind := w.store
	w.store = late{behind}
	first, second := w.serve(t, nil), w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", first)
	for i := range byte(4) {
		put(t, admin, node(string('a'+rune(i)), i+1))
	}
	put(t, admin, network("blue", "", "10.7.0.0/26"))
	green := network("green", overlay.Routed, "10.8.0.0/26")
	green.Spec.BlockBits4 = 29
	put(t, admin, green)
	clients := []*Client{admin, w.client(t, overlay.RoleAdmin, "root2", second)}

	var mu sync.Mutex
	given := map[string]string{}
	exhausted := map[string]int{}
	var wait sync.WaitGroup
	for i := range 160 {
		wait.Go(func() {
			e := endpoint([]string{"blue", "green"}[i%2], fmt.Sprintf("e%d", i), string('a'+rune(i/2%4)))
			stored, _, err := clients[rand.IntN(2)].Update(t.Context(), store.Change{Put: e, Expect: store.Absent})
			mu.Lock()
			defer mu.Unlock()
			var refused *Error
			switch {
			case errors.As(err, &refused) && refused.Code == CodeExhausted:
				exhausted[string(e.Network)]++
			case err != nil:
				t.Errorf("%s: %v", e.Key(), err)
			default:
				a := string(e.Network) + " " + addresses(stored.(*overlay.Endpoint))
				if given[a] != "" {
					t.Errorf("%s was given to %s and %s", a, given[a], e.Name)
				}
				given[a] = e.Name
			}
		})
	}
	wait.Wait()
	// 64 less network, broadcast and gateway.
	if given, refused := 61, exhausted["blue"]; refused != 80-given {
		t.Errorf("blue was exhausted for %d requests, want %d", refused, 80-given)
	}
	full(t, behind, 20)
}

// full checks that every endpoint on green is in a block of its node, and that
// nodes whose blocks have room for all that were asked for have as many, and
// the others as many as there is room for.
func full(t *testing.T, s store.Store, asked int) {
	t.Helper()
	all := snapshot(t, s)
	given, room := map[overlay.NodeName]int{}, map[overlay.NodeName]int{}
	for _, b := range all.Blocks["green"] {
		room[b.Spec.Node] += 6 // of 8
		if b.Spec.Prefix.Contains(all.Networks["green"].Spec.Gateways[0]) {
			room[b.Spec.Node]--
		}
	}
	for _, e := range all.Endpoints["green"] {
		given[e.Spec.Node]++
		b := all.Blocks["green"][e.Spec.Blocks[0]]
		if b == nil || b.Spec.Node != e.Spec.Node || !b.Spec.Prefix.Contains(e.Spec.Addresses[0]) {
			t.Errorf("%s has %v, outside of the block %+v", e.Key(), e.Spec.Addresses, b)
		}
	}
	for node, n := range given {
		if want := min(asked, room[node]); n != want {
			t.Errorf("node %s has %d endpoints on green, want %d", node, n, want)
		}
	}
	if len(all.Blocks["green"]) != 8 {
		t.Errorf("%d blocks, want 8", len(all.Blocks["green"]))
	}
}

// snapshot reads all of a store.
func snapshot(t *testing.T, s store.Store) *overlay.Snapshot {
	t.Helper()
	all := overlay.NewSnapshot()
	done := errors.New("read")
	err := s.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(b store.Batch) error {
		for _, r := range b.Puts {
			all.Put(r)
		}
		return done
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
	return all
}

// late is a store whose watches are late.
type late struct{ store.Store }

func (l late) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	return l.Store.Watch(ctx, in, from, func(b store.Batch) error {
		select {
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
		case <-ctx.Done():
		}
		return deliver(b)
	})
}

// A network that is removed while endpoints are attached to it: either it is
// gone and has none, or it is there with each in its block.
func TestRemovalRace(t *testing.T) {
	t.Parallel()
	_, admin := cluster(t)
	for i := range 10 {
		name := fmt.Sprintf("net%d", i)
		put(t, admin, network(name, overlay.Routed, "10.8.0.0/20"))
		put(t, admin, endpoint(name, "first", "a"))
		if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(name), Name: "first"}, false); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		var attached, removed error
		wait.Go(func() { attached = try(t, admin, endpoint(name, "web", "a")) })
		wait.Go(func() {
			removed = admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: name}, false)
		})
		wait.Wait()
		if (attached == nil) == (removed == nil) {
			t.Errorf("attached: %v; removed: %v", attached, removed)
		}
		for _, err := range []error{attached, removed} {
			var used *store.InUseError
			if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.As(err, &used) {
				t.Errorf("refused with %v", err)
			}
		}
	}
}

// TestMACFollowsAddress: who gets an address that another had before has its MAC, too, as
// others may remember it; on another network nobody does.
func TestMACFollowsAddress(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	put(t, admin, network("red", "", "10.7.0.0/24"))
	first := put(t, admin, endpoint("blue", "first", "a", "10.7.0.9"))
	other := put(t, admin, endpoint("red", "first", "a", "10.7.0.9"))
	if _, _, err := admin.Update(t.Context(), store.Change{Delete: first.Key(), Expect: store.Any}); err != nil {
		t.Fatal(err)
	}
	// Another server, as after a restart.
	again := put(t, w.client(t, overlay.RoleAdmin, "again", w.serve(t, nil)), endpoint("blue", "second", "b", "10.7.0.9"))
	if again.Spec.MAC != first.Spec.MAC {
		t.Errorf("the address has %s now, and had %s", again.Spec.MAC, first.Spec.MAC)
	}
	if other.Spec.MAC == first.Spec.MAC {
		t.Errorf("two networks have %s", other.Spec.MAC)
	}
}
