package api

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/api/identity"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// world is a cluster with one server, or several on one store.
type world struct {
	store store.Store
	ca    *identity.CA
	log   *logs
	hosts []*host
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ca, err := identity.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return &world{store: memstore.New(memstore.Options{}), ca: ca, log: &logs{}}
}

// logs collects what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count is how many lines have all the words.
func (l *logs) count(words ...string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
lines:
	for line := range strings.Lines(strings.ReplaceAll(l.text.String(), `\"`, `"`)) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		n++
	}
	return n
}

// host is a running server.
type host struct {
	*Server
	address string
	stop    func()
}

// serve starts a server; change may change its options, and prepare the server.
func (w *world) serve(t testing.TB, change func(*Options), prepare ...func(*Server)) *host {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Store: w.store, CA: w.ca, Names: []string{"127.0.0.1"}, Addresses: []string{l.Addr().String()}, Version: "test",
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	h := &host{Server: NewServer(o), address: l.Addr().String()}
	for _, f := range prepare {
		f(h.Server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, l) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(h.stop)
	w.hosts = append(w.hosts, h)
	return h
}

// credentials are somebody's, as the CA issues them.
func (w *world) credentials(t testing.TB, role overlay.Role, name string, hosts ...*host) identity.Credentials {
	t.Helper()
	csr, key, err := identity.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := w.ca.Sign(csr, identity.Identity{Name: name, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	c := identity.Credentials{CA: string(w.ca.Certificate()), Certificate: string(cert), Key: string(key)}
	for _, h := range hosts {
		c.Servers = append(c.Servers, "https://"+h.address)
	}
	return c
}

// client is somebody's client.
func (w *world) client(t testing.TB, role overlay.Role, name string, hosts ...*host) *Client {
	t.Helper()
	c, err := NewClient(w.credentials(t, role, name, hosts...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func node(name string, n byte) *overlay.Node {
	return &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: name},
		Spec: overlay.NodeSpec{Underlay: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 24)}, UnderlayMTU: 1500},
	}
}

func network(name string, kind overlay.NetworkKind, subnets ...string) *overlay.Network {
	n := &overlay.Network{Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: name}, Spec: overlay.NetworkSpec{Kind: kind}}
	for _, s := range subnets {
		n.Spec.Subnets = append(n.Spec.Subnets, netip.MustParsePrefix(s))
	}
	return n
}

func endpoint(network, name, node string, addresses ...string) *overlay.Endpoint {
	e := &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.EndpointSpec{
			Node:   overlay.NodeName(node),
			Attach: overlay.Attach{Type: overlay.AttachNetns, Target: "/run/netns/" + network + "-" + name},
		},
	}
	for _, a := range addresses {
		e.Spec.Addresses = append(e.Spec.Addresses, netip.MustParseAddr(a))
	}
	return e
}

// put writes, and returns what was stored.
func put[R overlay.Resource](t testing.TB, c store.Store, r R) R {
	t.Helper()
	stored, _, err := c.Update(t.Context(), store.Change{Put: r, Expect: store.Any})
	if err != nil {
		t.Fatalf("put %s: %v", r.Key(), err)
	}
	return stored.(R)
}

// try writes, and returns the error.
func try(t testing.TB, c store.Store, r overlay.Resource) error {
	t.Helper()
	_, _, err := c.Update(t.Context(), store.Change{Put: r, Expect: store.Any})
	return err
}

const soon = 5 * time.Second
