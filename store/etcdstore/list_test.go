package etcdstore

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/overlay"
	"weft/store"
)

func network(name string) *overlay.Network {
	return &overlay.Network{
		Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: name},
		Spec: overlay.NetworkSpec{Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	}
}

// endpoint is the n-th of a network and a node, as large as endpoints are.
func endpoint(network string, node *overlay.Node, n int) *overlay.Endpoint {
	name := fmt.Sprintf("workload-%06d", n)
	return &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.EndpointSpec{
			Node:      overlay.NodeName(node.Name),
			Port:      overlay.PortSingle,
			MAC:       overlay.MAC{2, 1, 0, byte(n >> 16), byte(n >> 8), byte(n)},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})},
			Attach: overlay.Attach{
				Type: overlay.AttachNetns, Target: "/run/netns/" + network + name,
				Identity: "4:4026532271", Interface: "eth0",
			},
			Lifetime: overlay.Bound,
		},
	}
}

// fill makes nodes, network blue, and endpoints that are spread over the nodes.
func fill(ctx context.Context, s store.Store, nodes, endpoints int) error {
	resources := []overlay.Resource{network("blue")}
	for n := range nodes {
		resources = append(resources, node(n))
	}
	for _, r := range resources {
		if _, _, err := s.Update(ctx, store.Change{Put: r, Expect: store.Absent}); err != nil {
			return err
		}
	}
	const writers = 32
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			for n := w; n < endpoints; n += writers {
				c := store.Change{Put: endpoint("blue", node(n%nodes), n), Expect: store.Absent}
				if _, _, err := s.Update(ctx, c); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// TestLongLists: lists that take several reads are complete.
func TestLongLists(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	const nodes, each = 5, 2*batchSize + 20
	if err := fill(t.Context(), e, nodes, nodes*each); err != nil {
		t.Fatal(err)
	}
	if nodes*each < 2*pageSize {
		t.Fatal("the list fits two pages")
	}
	for _, tt := range []struct {
		in   store.Interest
		want int
	}{
		{store.Interest{}, 1 + nodes + nodes*each},
		{store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}, Node: "n3"}, each},
		{store.Interest{Node: "n3", Networks: []overlay.NetworkName{"blue", "blue"}}, 1 + nodes + each},
		{store.Interest{Node: "n3", Networks: []overlay.NetworkName{"red"}}, nodes},
	} {
		if all, _ := list(t, e, tt.in); len(all) != tt.want {
			t.Errorf("%+v: got %d, want %d", tt.in, len(all), tt.want)
		}
	}
}

// overtaken compacts the history before the first read at a revision.
type overtaken struct {
	clientv3.KV
	once   sync.Once
	before func()
}

// Get implements [clientv3.KV].
func (o *overtaken) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if clientv3.OpGet(key, opts...).Rev() > 0 {
		o.once.Do(o.before)
	}
	return o.KV.Get(ctx, key, opts...)
}

// TestListOvertaken: a list whose revision is compacted meanwhile starts anew.
func TestListOvertaken(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	put(t, e, node(1))
	slow, err := open(t.Context(), &overtaken{KV: e.kv, before: func() {
		put(t, e, node(2))
		if err := (compactable{e.Store}).Compact(t.Context()); err != nil {
			t.Error(err)
		}
	}}, e.stream, func() error { return nil }, Options{})
	s := opened(t, slow, err)
	if all, _ := list(t, s, store.Interest{}); len(all) != 2 {
		t.Errorf("got %v, want two nodes", all)
	}
}

// TestWiped: who deletes everything beneath the prefix makes no watcher delete
// anything, and the store refuses until it is opened again.
func TestWiped(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	put(t, e, node(1))
	batches, ended := background(t.Context(), e, overlay.Revision{})
	at := (<-batches).Revision
	if _, err := e.kv.Delete(t.Context(), e.keys.root, clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != store.ErrRestored {
		t.Errorf("watch: got %v, want ErrRestored", err)
	}
	select {
	case b := <-batches:
		t.Errorf("the watch delivered %+v", b)
	default:
	}
	for _, c := range []store.Change{{Put: node(2)}, {Put: node(2), Expect: store.Any}, {Delete: node(1).Key(), Expect: store.Any}} {
		if _, _, err := e.Update(t.Context(), c); err != store.ErrRestored {
			t.Errorf("%+v: got %v, want ErrRestored", c, err)
		}
	}
	if err := e.Watch(t.Context(), store.Interest{}, overlay.Revision{}, nil); err != store.ErrRestored {
		t.Errorf("watch anew: got %v, want ErrRestored", err)
	}
	again, err := open(t.Context(), e.kv, e.stream, func() error { return nil }, Options{})
	s := opened(t, again, err)
	if err := s.Watch(t.Context(), store.Interest{}, at, nil); err != store.ErrRestored {
		t.Errorf("watch from before: got %v, want ErrRestored", err)
	}
	put(t, s, node(2))
}
