package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

// memory is a node on hold, with what it knows.
type memory struct {
	client *Client
	store.Report
}

// remember takes what a node knows of a store: its networks with what is in them.
func (w *world) remember(t *testing.T, name string, networks ...overlay.NetworkName) *memory {
	t.Helper()
	m := &memory{Report: store.Report{Known: w.at(t)}}
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	err := w.store.Watch(ctx, store.Interest{}, overlay.Revision{}, func(b store.Batch) error {
		for _, r := range b.Puts {
			switch r := r.(type) {
			case *overlay.Node:
				m.Nodes = append(m.Nodes, r)
				if r.Name == name {
					m.Node = r
				}
			case *overlay.Network:
				if slices.Contains(networks, overlay.NetworkName(r.Name)) {
					m.Networks = append(m.Networks, r)
				}
			case *overlay.Block:
				if slices.Contains(networks, r.Network) {
					m.Blocks = append(m.Blocks, r)
				}
			case *overlay.Endpoint:
				if slices.Contains(networks, r.Network) {
					m.Endpoints = append(m.Endpoints, r)
				}
			case *overlay.Tunnel:
				if slices.Contains(networks, r.Network) || r.Network == "" && string(r.Spec.Node) == name {
					m.Tunnels = append(m.Tunnels, r)
				}
			}
		}
		enough()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// follow tells what the server wants, as an agent does, until it says to follow.
func (m *memory) follow(ctx context.Context) error {
	var answer store.Answer
	for ctx.Err() == nil {
		r := store.Report{Known: m.Known, Node: m.Node, Phase: answer.Wants}
		if r.Phase != "" {
			of := func(n overlay.NodeName) bool {
				return n == overlay.NodeName(m.Node.Name) || r.Phase == store.TakingOthers && slices.Contains(answer.Missing, n)
			}
			r.Nodes, r.Networks = m.Nodes, m.Networks
			r.Blocks = slices.DeleteFunc(slices.Clone(m.Blocks), func(b *overlay.Block) bool { return !of(b.Spec.Node) })
			r.Tunnels = slices.DeleteFunc(slices.Clone(m.Tunnels), func(t *overlay.Tunnel) bool { return !of(t.Spec.Node) })
			r.Endpoints = slices.DeleteFunc(slices.Clone(m.Endpoints), func(e *overlay.Endpoint) bool { return !of(e.Spec.Node) })
		}
		var err error
		if answer, err = m.client.Report(ctx, r); err != nil || answer.Follow {
			return err
		}
		if answer.Wants == "" {
			select { // as an agent paces what it asks
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}

// recoverFrom has nodes put back what they know.
func recoverFrom(t *testing.T, admin *Client, wait time.Duration, nodes ...*memory) store.Standing {
	t.Helper()
	var telling errgroup.Group
	for _, m := range nodes {
		telling.Go(func() error { return m.follow(t.Context()) })
	}
	now, err := admin.Recover(t.Context(), RecoverRequest{From: fromNodes, Wait: Duration(wait)})
	if err != nil {
		t.Fatal(err)
	}
	if err := telling.Wait(); err != nil {
		t.Fatal(err)
	}
	return now
}

// populated is a world with a bridged and a routed network and an endpoint of each on
// nodes a, b and c.
func populated(t *testing.T, seal *memorySeal) (*world, *host, map[overlay.Key]*overlay.Endpoint) {
	t.Helper()
	w := newWorld(t)
	h := w.sealed(t, seal)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	put(t, admin, network("green", overlay.Routed, "10.8.0.0/16"))
	have := map[overlay.Key]*overlay.Endpoint{}
	for i, name := range []string{"a", "b", "c"} {
		put(t, admin, node(name, byte(i+1)))
		for _, n := range []string{"blue", "green"} {
			e := put(t, admin, endpoint(n, n+"-"+name, name))
			have[e.Key()] = e
		}
		for i, n := range []string{"", "green"} {
			put(t, admin, tunnel(n, "to-"+name, overlay.TunnelGRE, func(s *overlay.TunnelSpec) {
				s.Node, s.Device, s.Remote = overlay.NodeName(name), fmt.Sprintf("to%d", i), fmt.Sprintf("203.0.113.%d", i+1)
			}))
		}
	}
	return w, h, have
}

// Everything that the nodes know is there again, under the addresses that it had, also
// what belongs to a node that is away; and what is new gets others.
func TestRecoverFromNodes(t *testing.T) {
	t.Parallel()
	seal := &memorySeal{}
	w, h, had := populated(t, seal)
	a, b, late := w.remember(t, "a", "blue", "green"), w.remember(t, "b", "blue", "green"), w.remember(t, "c", "blue", "green")
	h.stop()

	w.store = memstore.New(memstore.Options{})
	h = w.sealed(t, seal)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	for m, name := range map[*memory]string{a: "a", b: "b", late: "c"} {
		m.client = w.client(t, overlay.RoleNode, name, h)
	}
	forgetful := &memory{client: late.client, Report: store.Report{Node: late.Node}}
	now := recoverFrom(t, admin, 500*time.Millisecond, a, b, forgetful)
	if now.Phase != store.Sound || now.Reason != "put back from the nodes by admin root" {
		t.Errorf("standing %+v", now)
	}
	for name, own := range map[overlay.NodeName]bool{"a": true, "b": true, "c": false} {
		told, known := now.Nodes[name]
		if !known || told.Own != own || len(told.Conflicts) > 0 {
			t.Errorf("node %s: %+v, known %v", name, told, known)
		}
	}
	for k, e := range had {
		r, err := admin.Get(t.Context(), k)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got := r.(*overlay.Endpoint); text(got.Spec) != text(e.Spec) {
			t.Errorf("%s is %s, was %s", k, text(got.Spec), text(e.Spec))
		}
	}
	w.hasTunnels(t, admin, "to-a", "to-b", "green/to-a", "green/to-b", "green/to-c")
	taken := map[string]overlay.Key{}
	for k, e := range had {
		taken[string(k.Network)+e.Spec.Addresses[0].String()] = k
	}
	for _, n := range []string{"blue", "green"} {
		for _, on := range []string{"a", "c"} {
			e := put(t, admin, endpoint(n, "new-"+on, on))
			at := n + e.Spec.Addresses[0].String()
			if other, ok := taken[at]; ok {
				t.Errorf("%s has the address of %s", e.Key(), other)
			}
			taken[at] = e.Key()
		}
	}
	if err := late.follow(t.Context()); err != nil {
		t.Errorf("the node that comes late: %v", err)
	}
	now, err := admin.Standing(t.Context())
	if told := now.Nodes["c"]; err != nil || !told.Own || len(told.Conflicts) > 0 {
		t.Errorf("the node that came late: %+v, %v", told, err)
	}
	w.hasTunnels(t, admin, "to-a", "to-b", "to-c", "green/to-a", "green/to-b", "green/to-c")
}

// hasTunnels holds the store to these tunnels, which are as populated made them.
func (w *world) hasTunnels(t *testing.T, admin *Client, want ...string) {
	t.Helper()
	all, _, err := admin.List(t.Context(), overlay.KindTunnel, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, strings.TrimPrefix(r.Key().String(), "tunnel "))
		if s := r.(*overlay.Tunnel).Spec; s.Mode != overlay.TunnelGRE || !strings.HasPrefix(s.Remote, "203.0.113.") || !strings.HasPrefix(s.Device, "to") {
			t.Errorf("%s is %+v", r.Key(), s)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("tunnels %v, want %v", got, want)
	}
}

// An older copy has what its nodes no longer have, lacks what they have since, and has
// otherwise what they changed: the nodes are right. What is another's is left, and named.
func TestRecoverOlderCopy(t *testing.T) {
	t.Parallel()
	seal := &memorySeal{}
	w, h, _ := populated(t, seal)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	at := w.at(t) // of the copy
	copied := w.remember(t, "a", "blue", "green")

	later := func() { // what the copy has not seen
		if err := admin.Remove(t.Context(), endpoint("blue", "blue-a", "a").Key(), false); err != nil {
			t.Fatal(err)
		}
		put(t, admin, endpoint("blue", "heir", "b", "10.7.0.2")) // which was blue-a's
		moved := endpoint("green", "green-b", "b")
		moved.Spec.Lifetime = overlay.Kept
		put(t, admin, moved)
		put(t, admin, endpoint("blue", "thief", "b", "10.7.0.99"))
	}
	later()
	a, b := w.remember(t, "a", "blue", "green"), w.remember(t, "b", "blue", "green")
	h.stop()

	older := memstore.New(memstore.Options{})
	w.store = older
	refill(t, w, copied)
	// Of the same incarnation, as a copy is, and with something that is another's.
	now, err := older.Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := now
	next.Revision.Incarnation = at.Incarnation
	if _, err := older.Stand(t.Context(), now, next); err != nil {
		t.Fatal(err)
	}
	stolen := endpoint("blue", "owner", "c", "10.7.0.99")
	stolen.Spec.MAC, stolen.Spec.Port = overlay.MAC{2, 0, 0, 0, 0, 9}, overlay.PortSingle
	write(t, w.store, stolen)

	h = w.sealed(t, seal)
	admin = w.client(t, overlay.RoleAdmin, "root", h)
	allocating(t, admin, false)
	a.client, b.client = w.client(t, overlay.RoleNode, "a", h), w.client(t, overlay.RoleNode, "b", h)
	now = recoverFrom(t, admin, 300*time.Millisecond, a, b)

	if _, err := admin.Get(t.Context(), endpoint("blue", "blue-a", "a").Key()); err == nil {
		t.Error("what a no longer has is there again")
	}
	for name, want := range map[string]string{"heir": "10.7.0.2", "blue-c": "10.7.0.4", "owner": "10.7.0.99"} {
		r, err := admin.Get(t.Context(), endpoint("blue", name, "").Key())
		if err != nil || r.(*overlay.Endpoint).Spec.Addresses[0].String() != want {
			t.Errorf("%s: %+v, %v; want %s", name, r, err, want)
		}
	}
	r, err := admin.Get(t.Context(), endpoint("green", "green-b", "").Key())
	if err != nil || r.(*overlay.Endpoint).Spec.Lifetime != overlay.Kept {
		t.Errorf("what b changed since: %+v, %v", r, err)
	}
	conflicts := strings.Join(now.Nodes["b"].Conflicts, "\n")
	if conflicts != "endpoint blue/thief: address 10.7.0.99 is taken by endpoint blue/owner" {
		t.Errorf("conflicts of b: %q", conflicts)
	}
	if _, err := admin.Get(t.Context(), endpoint("blue", "thief", "").Key()); err == nil {
		t.Error("an address was given twice")
	}
}

// refill writes what somebody remembers into a store, as it was.
func refill(t *testing.T, w *world, m *memory) {
	t.Helper()
	for _, n := range m.Nodes {
		write(t, w.store, n)
	}
	for _, n := range m.Networks {
		write(t, w.store, n)
	}
	for _, b := range m.Blocks {
		write(t, w.store, b)
	}
	for _, e := range m.Endpoints {
		write(t, w.store, e)
	}
}

func write(t *testing.T, s store.Store, r overlay.Resource) {
	t.Helper()
	if _, _, err := s.Update(t.Context(), store.Change{Put: r, Expect: store.Absent}); err != nil {
		t.Fatal(err)
	}
}

// A node that tells of others' while these are asked for themselves, or of anything
// without being asked, changes nothing.
func TestReportBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.sealed(t, &memorySeal{})
	admin, agent := w.client(t, overlay.RoleAdmin, "root", h), w.client(t, overlay.RoleNode, "a", h)
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	self := put(t, agent, node("a", 1))
	mine, others := endpoint("blue", "mine", "a", "10.7.0.5"), endpoint("blue", "others", "b", "10.7.0.6")
	for i, e := range []*overlay.Endpoint{mine, others} {
		e.Spec.MAC, e.Spec.Port = overlay.MAC{2, 0, 0, 0, 0, byte(i)}, overlay.PortSingle
	}
	for _, phase := range []store.Phase{"", store.Held, store.TakingOwn, store.TakingOthers, "all"} {
		r := store.Report{Known: w.at(t), Node: self, Phase: phase, Endpoints: []*overlay.Endpoint{mine, others, nil}}
		if answer, err := agent.Report(t.Context(), r); err != nil || !answer.Follow || answer.Wants != "" {
			t.Errorf("phase %q: %+v, %v", phase, answer, err)
		}
	}
	all, _, err := admin.List(t.Context(), overlay.KindEndpoint, "", "")
	if err != nil || len(all) > 0 {
		t.Errorf("endpoints %v, %v", all, err)
	}
	if _, err := admin.Report(t.Context(), store.Report{}); ErrorOf(err).Code != CodeForbidden {
		t.Errorf("a person reports: %v", err)
	}
}
