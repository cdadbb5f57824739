package control

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

// hands is a plane that writes down what it is given to do.
type hands struct {
	events chan dataplane.Event

	mu   sync.Mutex
	have dataplane.State
	log  []string
	fail error
}

func newHands() *hands { return &hands{events: make(chan dataplane.Event, 16)} }

// Apply implements dataplane.Plane: like every plane it follows a Delta only from where it is.
func (h *hands) Apply(_ context.Context, want dataplane.State, since *dataplane.Delta) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		h.log = append(h.log, "failed")
		return h.fail
	}
	if since != nil && since.From == h.have.Generation {
		h.have = h.have.With(*since)
		h.log = append(h.log, "delta "+ports(h.have))
		return nil
	}
	h.have = dataplane.State{}.With(dataplane.Between(dataplane.State{}, want))
	h.log = append(h.log, "full "+ports(h.have))
	return nil
}

// Observe implements dataplane.Plane.
func (h *hands) Observe(ctx context.Context, _ overlay.NetworkName) (dataplane.Observation, error) {
	return h.Compare(ctx)
}

// Compare implements dataplane.Plane.
func (h *hands) Compare(context.Context) (dataplane.Observation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := dataplane.Observation{Networks: map[overlay.NetworkName]dataplane.NetworkView{}}
	for name, n := range h.have.Networks {
		seen.Networks[name] = dataplane.NetworkView{Wanted: len(n.Ports), Present: len(n.Ports)}
	}
	return seen, nil
}

// Events implements dataplane.Plane.
func (h *hands) Events() <-chan dataplane.Event { return h.events }

// Close implements dataplane.Plane.
func (h *hands) Close() error { return nil }

// ports are those that the host has.
func (h *hands) ports() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return ports(h.have)
}

// did returns what was done since the last call, and forgets it.
func (h *hands) did() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := strings.Join(h.log, "; ")
	h.log = nil
	return s
}

func (h *hands) failWith(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = err
}

// ports prints a State as its ports: "blue[web] green[]".
func ports(s dataplane.State) string {
	var nets []string
	for _, name := range slices.Sorted(maps.Keys(s.Networks)) {
		nets = append(nets, fmt.Sprint(name, slices.Sorted(maps.Keys(s.Networks[name].Ports))))
	}
	return strings.Join(nets, " ")
}

// gate is a store that can be cut off, and that records the interests.
type gate struct {
	store.Store
	mu       sync.Mutex
	cut      error
	broken   chan struct{} // closed when the store is cut off
	watching map[string]int
}

func newGate(s store.Store) *gate {
	return &gate{Store: s, broken: make(chan struct{}), watching: map[string]int{}}
}

func (g *gate) cutOff(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut = err
	close(g.broken)
}

func (g *gate) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut, g.broken = nil, make(chan struct{})
}

// Watch implements store.Store.
func (g *gate) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	g.mu.Lock()
	cut, broken := g.cut, g.broken
	name := fmt.Sprint(in.Networks, in.Node)
	g.watching[name]++
	g.mu.Unlock()
	defer func() { g.mu.Lock(); g.watching[name]--; g.mu.Unlock() }()
	if cut != nil {
		return cut
	}
	inner, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-broken:
			stop()
		case <-inner.Done():
		}
	}()
	if err := g.Store.Watch(inner, in, from, deliver); err != nil || ctx.Err() != nil {
		return err
	}
	return store.ErrUnavailable
}

// Update implements store.Store.
func (g *gate) Update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	g.mu.Lock()
	cut := g.cut
	g.mu.Unlock()
	if cut != nil {
		return nil, overlay.Revision{}, cut
	}
	return g.Store.Update(ctx, c)
}

func (g *gate) watched() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for name, n := range g.watching {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// node is a loop with all that it stands on, in a bubble of its own time.
type node struct {
	*Loop
	t     *testing.T
	ctx   context.Context
	gate  *gate
	hands *hands
	// namespaces overrides identities by path; "" is none. Without an entry
	// the namespace of /ns/web is there and its identity is id-web.
	namespaces *sync.Map
	cache      string
	stop       func()
}

// start runs the loop of node a, over a store that knows nodes a and b and the networks blue and green.
func start(t *testing.T, s store.Store, cache string, change func(*Options)) *node {
	n := &node{t: t, gate: newGate(s), hands: newHands(), namespaces: &sync.Map{}, cache: cache}
	o := Options{
		Node: "a", Store: n.gate, Plane: n.hands, Log: slog.New(slog.DiscardHandler), CachePath: cache,
		ChoicesPath: cache + ".planes",
		Namespace: func(path string) (string, error) {
			id, ok := n.namespaces.Load(path)
			if !ok {
				return "id-" + filepath.Base(path), nil
			}
			return id.(string), nil
		},
	}
	if change != nil {
		change(&o)
	}
	n.Loop = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	n.ctx = ctx
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(n.stop)
	synctest.Wait()
	return n
}

func world(t *testing.T) store.Store {
	t.Helper()
	s := memstore.New(memstore.Options{})
	for i, name := range []overlay.NodeName{"a", "b"} {
		put(t, s, &overlay.Node{
			Meta: overlay.Meta{Kind: overlay.KindNode, Name: string(name)},
			Spec: overlay.NodeSpec{
				Underlay:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}), 24)},
				UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor(name),
			},
		})
	}
	for i, name := range []string{"blue", "green"} {
		spec := overlay.NetworkSpec{VNI: overlay.VNI(100 + i), Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")}}
		put(t, s, &overlay.Network{Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: name}, Spec: spec.Complete()})
	}
	return s
}

func put[R overlay.Resource](t *testing.T, s store.Store, r R) R {
	t.Helper()
	stored, _, err := s.Update(t.Context(), store.Change{Put: r, Expect: store.Any})
	if err != nil {
		t.Fatal(err)
	}
	return stored.(R)
}

// web makes an endpoint in a namespace; host is the last byte of its address.
func web(network, name, node string, host byte) *overlay.Endpoint {
	return &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.EndpointSpec{
			Node: overlay.NodeName(node), Port: overlay.PortSingle, MAC: overlay.MAC{2, 0, 0, 0, 0, host},
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 7, 0, host})},
			Attach:    overlay.Attach{Type: overlay.AttachNetns, Target: "/ns/" + name, Identity: "id-" + name, Interface: "eth0"},
		},
	}
}

// expect waits until everything is still, and compares what the plane did.
func (n *node) expect(want string) {
	n.t.Helper()
	synctest.Wait()
	if got := n.hands.did(); got != want {
		n.t.Errorf("the plane did %q, want %q", got, want)
	}
}

func cachePath(t *testing.T) string { return filepath.Join(t.TempDir(), "cache.json") }

func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }
