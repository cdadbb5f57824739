package agent

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"weft/api"
	"weft/api/agentapi"
	"weft/api/identity"
	"weft/control"
	"weft/dataplane"
	"weft/dataplane/dataplanetest"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

// world is a server over the store in memory, in which node a and network blue are.
type world struct {
	store  *memstore.Store
	client *api.Client // node a's
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ca, err := identity.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: memstore.New(memstore.Options{})}
	server := api.NewServer(api.Options{Store: w.store, CA: ca, Addresses: []string{l.Addr().String()}})
	aside(t, func(ctx context.Context) error { return server.Serve(ctx, l) })
	w.put(t, &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: "a"},
		Spec: overlay.NodeSpec{
			Underlay: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}, UnderlayMTU: 1500,
			VTEPMAC: overlay.VTEPMACFor("a"), Planes: []overlay.PlaneName{overlay.PlaneKernel},
		},
	})
	w.put(t, &overlay.Network{
		Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: "blue"},
		Spec: overlay.NetworkSpec{VNI: 4097, Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")}}.Complete(),
	})
	csr, key, err := identity.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Sign(csr, identity.Identity{Name: "a", Role: overlay.RoleNode})
	if err != nil {
		t.Fatal(err)
	}
	w.client, err = api.NewClient(identity.Credentials{
		Servers: []string{"https://" + l.Addr().String()}, CA: string(ca.Certificate()), Certificate: string(cert), Key: string(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) put(t *testing.T, r overlay.Resource) {
	t.Helper()
	if _, _, err := w.store.Update(t.Context(), store.Change{Put: r, Expect: store.Any}); err != nil {
		t.Fatal(err)
	}
}

// aside runs something beside the test, to the test's end.
func aside(t *testing.T, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); ended.Wait() })
}

// start starts what an agent is to its socket, on a host in memory.
func (w *world) start(t *testing.T, s store.Store) *service {
	t.Helper()
	plane := dataplanetest.NewMemory()
	t.Cleanup(func() {
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	return w.startOn(t, s, plane)
}

// startOn does the same with another plane.
func (w *world) startOn(t *testing.T, s store.Store, plane dataplane.Plane) *service {
	t.Helper()
	loop := control.New(control.Options{
		Node: "a", Store: s, Plane: plane, Log: slog.New(slog.DiscardHandler), CachePath: filepath.Join(t.TempDir(), "cache.json"),
		Namespace: namespace, ChoicesPath: filepath.Join(t.TempDir(), "planes.json"),
	})
	aside(t, loop.Run)
	if err := loop.Begun(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &service{node: "a", client: w.client, loop: loop, netnsDir: t.TempDir()}
}

// deaf is a store whose watches say what there is, and nothing after that.
type deaf struct{ store.Store }

func (d deaf) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	first := true
	return d.Store.Watch(ctx, in, from, func(b store.Batch) error {
		if !first {
			return nil
		}
		first = false
		return deliver(b)
	})
}

// TestAttachAgain: who asks again, because the first answer never came, gets the
// endpoint of the first time, whether the agent has heard of it or not.
func TestAttachAgain(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	ns := testenv.Namespace(t)
	request := agentapi.AttachRequest{Network: "blue", Type: overlay.AttachNetns, Target: ns}
	for name, tt := range map[string]struct {
		// hears: the agent knows what was written; else it has not come through yet.
		hears bool
		name  overlay.EndpointName
		want  string // of the error; empty: the same endpoint
	}{
		"heard":                       {true, "", ""},
		"not heard yet":               {false, "", ""},
		"heard, by name":              {true, "web", ""},
		"not heard yet, by name":      {false, "web", ""},
		"heard, another name":         {true, "db", "otherwise than asked for now; detach it first"},
		"not heard yet, another name": {false, "db", "is taken by endpoint blue/web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			write := func() {
				identity, err := namespace(ns)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := w.client.Update(t.Context(), store.Change{Expect: store.Absent, Put: &overlay.Endpoint{
					Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "web"},
					Spec: overlay.EndpointSpec{
						Node: "a", Port: overlay.PortSingle,
						Attach: overlay.Attach{Type: overlay.AttachNetns, Target: ns, Identity: identity, Interface: "eth0"},
					},
				}}); err != nil {
					t.Fatal(err)
				}
			}
			var s *service
			if tt.hears { // the agent was cut off, and has started again
				write()
				s = w.start(t, w.store)
			} else {
				s = w.start(t, deaf{w.store})
				write()
			}
			r := request
			r.Name = tt.name
			made, err := s.Attach(t.Context(), r)
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || api.ErrorOf(err).Code != api.CodeClaimed):
				t.Errorf("%+v, %v; want %q", made.Endpoint, err, tt.want)
			case tt.want == "" && (err != nil || made.Endpoint.Name != "web" || made.MTU != 1450):
				t.Errorf("%+v, %v; want web", made, err)
			}
			all, err := w.client.Get(t.Context(), overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "web-2"})
			if err == nil {
				t.Errorf("there is a second one: %v", all)
			}
		})
	}
}

// TestAttachWhileTheAgentStops: what could not be made is taken back, as after
// any other failure.
func TestAttachWhileTheAgentStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	plane := dataplanetest.NewMemory()
	loop := control.New(control.Options{
		Node: "a", Store: w.store, Plane: plane, Log: slog.New(slog.DiscardHandler), Namespace: namespace,
		CachePath: filepath.Join(t.TempDir(), "cache.json"), ChoicesPath: filepath.Join(t.TempDir(), "planes.json"),
	})
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	if err := loop.Begun(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &service{node: "a", client: w.client, loop: loop}
	e, err := s.create(t.Context(), &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "vm1"},
		Spec: overlay.EndpointSpec{Node: "a", Port: overlay.PortSingle, Attach: overlay.Attach{Type: overlay.AttachTap, Target: "vm1"}},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := s.ensure(t.Context(), e); err == nil || !strings.Contains(err.Error(), "the agent is stopping") {
		t.Errorf("%v, want that the agent is stopping", err)
	}
	if err := s.undo(t.Context(), e); err != nil {
		t.Error(err)
	}
	if r, err := w.client.Get(t.Context(), e.Key()); err == nil {
		t.Errorf("%s is still there", r.Key())
	}
	if err := plane.Close(); err != nil {
		t.Error(err)
	}
}

// slow is a plane that takes its time for the first port.
type slow struct {
	dataplane.Plane
	once    sync.Once
	begun   chan struct{}
	proceed chan struct{}
}

func (p *slow) Apply(ctx context.Context, s dataplane.State, d *dataplane.Delta) error {
	if n, ok := s.Networks["blue"]; ok && len(n.Ports) > 0 {
		p.once.Do(func() { close(p.begun); <-p.proceed })
	}
	return p.Plane.Apply(ctx, s, d)
}

// TestAttachAfterAnotherGaveUp: an endpoint that somebody asks for while the request of
// a caller who is gone is undone stays, whichever of them is faster.
func TestAttachAfterAnotherGaveUp(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			attachAfterAnotherGaveUp(t)
		})
	}
}

func attachAfterAnotherGaveUp(t *testing.T) {
	w := newWorld(t)
	memory := dataplanetest.NewMemory()
	t.Cleanup(func() {
		if err := memory.Close(); err != nil {
			t.Error(err)
		}
	})
	plane := &slow{Plane: memory, begun: make(chan struct{}), proceed: make(chan struct{})}
	s := w.startOn(t, w.store, plane)
	request := agentapi.AttachRequest{Network: "blue", Type: overlay.AttachVeth, Target: testenv.Name(t, "v"), Name: "web"}
	gone, leave := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := s.Attach(gone, request); err == nil {
			t.Error("who left got an answer")
		}
	})
	<-plane.begun
	leave()
	var second sync.WaitGroup
	second.Go(func() {
		if _, err := s.Attach(t.Context(), request); err != nil {
			t.Error(err)
		}
	})
	close(plane.proceed)
	first.Wait()
	second.Wait()
	if _, err := w.client.Get(t.Context(), overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "web"}); err != nil {
		t.Errorf("the second one's: %v", err)
	}
}
