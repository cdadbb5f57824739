package api

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

func share(network, node, name, prefix string) *overlay.Block {
	return &overlay.Block{
		Meta: overlay.Meta{Kind: overlay.KindBlock, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.BlockSpec{Node: overlay.NodeName(node), Prefix: netip.MustParsePrefix(prefix)},
	}
}

// A block that servers would not make is not put back: no claim tells it apart from
// the blocks that it has in it, and whoever has it gets their packets.
func TestReportedBlocksAreShares(t *testing.T) {
	t.Parallel()
	seal := &memorySeal{}
	w, h, _ := populated(t, seal)
	a, b := w.remember(t, "a", "blue", "green"), w.remember(t, "b", "blue", "green")
	h.stop()
	w.store = memstore.New(memstore.Options{})
	h = w.sealed(t, seal)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	a.client, b.client = w.client(t, overlay.RoleNode, "a", h), w.client(t, overlay.RoleNode, "b", h)
	b.Blocks = append(b.Blocks,
		share("green", "b", "0-0-0-0-1", "0.0.0.0/1"), share("green", "b", "10-8-0-0-16", "10.8.0.0/16"), share("green", "b", "10-8-0-0-25", "10.8.0.0/25"),
		share("green", "b", "10-9-9-0-24", "10.9.9.0/24"), share("green", "b", "other", "10.8.77.0/24"), share("blue", "b", "10-7-0-0-24", "10.7.0.0/24"),
	)
	bare := network("bare", "", "10.9.0.0/24")
	b.Networks = append(b.Networks, bare)
	now := recoverFrom(t, admin, 500*time.Millisecond, a, b)
	all, _, err := admin.List(t.Context(), overlay.KindBlock, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, r := range all {
		have = append(have, r.(*overlay.Block).Spec.Prefix.String())
	}
	if want := []string{"10.8.0.0/24", "10.8.1.0/24", "10.8.2.0/24"}; !slices.Equal(have, want) {
		t.Errorf("blocks %v, want %v", have, want)
	}
	if text := strings.Join(now.Nodes["b"].Conflicts, "\n"); strings.Count(text, "is no node's share of network") != 6 || !strings.Contains(text, "network bare: no VNI is told") {
		t.Errorf("conflicts of b: %s", text)
	}
	if len(now.Nodes["a"].Conflicts) > 0 {
		t.Errorf("conflicts of a: %v", now.Nodes["a"].Conflicts)
	}
}

// A node that joined after a recovery has known no network before it, whatever it says.
func TestNewcomerTellsNoNetworks(t *testing.T) {
	t.Parallel()
	seal := &memorySeal{}
	w, h, _ := populated(t, seal)
	a := w.remember(t, "a", "blue", "green")
	h.stop()
	w.store = memstore.New(memstore.Options{})
	h = w.sealed(t, seal)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	a.client = w.client(t, overlay.RoleNode, "a", h)
	now := recoverFrom(t, admin, 100*time.Millisecond, a)

	newcomer := &memory{client: w.client(t, overlay.RoleNode, "z", h)}
	newcomer.Node = put(t, newcomer.client, node("z", 77))
	newcomer.Known = overlay.Revision{Incarnation: now.Base.Incarnation, Number: 1}
	own := network("own", "", "10.9.0.0/24")
	own.Spec.VNI = 4242
	newcomer.Networks = []*overlay.Network{own}
	if err := newcomer.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Get(t.Context(), own.Key()); ErrorOf(err).Code != CodeNotFound {
		t.Errorf("the newcomer's network: %v", err)
	}
}

// Whatever nodes claim, the store's standing stays small enough to be written.
func TestStandingStaysSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.sealed(t, &memorySeal{})
	admin, agent := w.client(t, overlay.RoleAdmin, "root", h), w.client(t, overlay.RoleNode, "a", h)
	allocating(t, admin, true)
	for _, known := range []string{strings.Repeat("x", 65), "two\nlines", "\x1b[2J"} {
		_, err := agent.Report(t.Context(), store.Report{Known: overlay.Revision{Incarnation: known, Number: 1}})
		if e := ErrorOf(err); e.Code != CodeInvalid || !strings.Contains(e.Message, "is no store's incarnation") {
			t.Errorf("%q: %v", known, err)
		}
	}
	allocating(t, admin, true)

	var list []string
	for i := range 3 * maxReplaces {
		list = with(list, fmt.Sprint(i))
	}
	if len(list) != maxReplaces || list[maxReplaces-1] != fmt.Sprint(3*maxReplaces-1) {
		t.Errorf("%d incarnations up to %s", len(list), list[len(list)-1])
	}

	nodes := map[overlay.NodeName]store.Told{}
	for i := range 50 {
		one := &telling{id: identity.Identity{Name: fmt.Sprint("n", i)}, problems: slices.Repeat([]string{"taken"}, 500)}
		one.Nodes = []*overlay.Node{node(strings.Repeat("x", 500), 1)} // which is no name
		nodes = one.noted(nodes)
	}
	kept := 0
	for name, told := range nodes {
		kept += len(told.Conflicts)
		if len(name) > overlay.MaxName || !strings.HasSuffix(told.Conflicts[len(told.Conflicts)-1], " more") {
			t.Errorf("node %.40s: %v", name, told.Conflicts)
		}
	}
	if kept > maxAllConflicts+len(nodes) {
		t.Errorf("%d conflicts are kept", kept)
	}
}

// A node whose reports keep the store on hold can be removed, and stays so.
func TestRemovedOnHold(t *testing.T) {
	t.Parallel()
	seal := &memorySeal{}
	w, h, _ := populated(t, seal)
	a := w.remember(t, "a", "blue", "green")
	h.stop()
	w.store = memstore.New(memstore.Options{})
	h = w.sealed(t, seal)
	admin, b := w.client(t, overlay.RoleAdmin, "root", h), w.client(t, overlay.RoleNode, "b", h)
	allocating(t, admin, false)
	a.client = w.client(t, overlay.RoleNode, "a", h)
	if err := admin.Remove(t.Context(), node("b", 2).Key(), true); err != nil {
		t.Fatal(err)
	}
	_, err := b.Report(t.Context(), store.Report{Known: a.Known})
	revokedBy(t, "report", err)
	recoverFrom(t, admin, 300*time.Millisecond, a)
	for _, k := range []overlay.Key{node("b", 2).Key(), endpoint("blue", "blue-b", "b").Key()} {
		if _, err := admin.Get(t.Context(), k); ErrorOf(err).Code != CodeNotFound {
			t.Errorf("%s: %v", k, err)
		}
	}
	if _, err := admin.Get(t.Context(), endpoint("blue", "blue-c", "c").Key()); err != nil {
		t.Error(err)
	}
}
