package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/api"
	"weft/api/agentapi"
	"weft/api/identity"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

// world is what a script speaks to: a real server over the store in memory, and
// an agent of node a that has no host.
type world struct {
	dir     string // state and run directory; short, for the socket's sake
	store   *memstore.Store
	seal    *memorySeal
	ca      *identity.CA
	address string // of the server
	agent   *agent
	// stopServer and stopAgent end one of them, and wait for that.
	stopServer, stopAgent func() error
}

// newWorld starts both, registers nodes a and b, and writes credentials of an
// administrator (admin.json) and a reader (reader.json).
func newWorld(ctx context.Context) (w *world, err error) {
	w = &world{store: memstore.New(memstore.Options{}), seal: &memorySeal{}, stopServer: nothing, stopAgent: nothing}
	if w.dir, err = os.MkdirTemp("", "weft"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.ca, err = identity.NewCA(); err != nil {
		return nil, err
	}
	if err := w.startServer(ctx); err != nil {
		return nil, err
	}
	for name, role := range map[string]overlay.Role{"admin": overlay.RoleAdmin, "reader": overlay.RoleReader, "a": overlay.RoleNode} {
		if err := w.credentials(identity.Identity{Name: name, Role: role}); err != nil {
			return nil, err
		}
	}
	for i, name := range []string{"a", "b"} {
		if err := w.register(ctx, name, i+1); err != nil {
			return nil, err
		}
	}
	return w, w.startAgent(ctx)
}

func nothing() error { return nil }

func (w *world) close() error {
	return errors.Join(w.stopAgent(), w.stopServer(), os.RemoveAll(w.dir))
}

// startServer starts the server on a free port of loopback.
func (w *world) startServer(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.address = l.Addr().String()
	server := api.NewServer(api.Options{Store: w.store, Ledger: w.store, Seal: w.seal, CA: w.ca, Addresses: []string{w.address}})
	ctx, cancel := context.WithCancel(ctx)
	var group errgroup.Group
	group.Go(func() error { return server.Serve(ctx, l) })
	w.stopServer = func() error {
		cancel()
		return group.Wait()
	}
	return nil
}

// startAgent serves the agent on its socket.
func (w *world) startAgent(ctx context.Context) error {
	credentials, err := identity.LoadCredentials(filepath.Join(w.dir, "a.json"))
	if err != nil {
		return err
	}
	client, err := api.NewClient(credentials)
	if err != nil {
		return err
	}
	w.agent = &agent{client: client, started: time.Now()}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", agentapi.Socket(w.dir))
	if err != nil {
		return err
	}
	if err := os.Chmod(agentapi.Socket(w.dir), 0o600); err != nil {
		return err
	}
	server := &http.Server{Handler: agentapi.Handler(w.agent, slog.New(slog.DiscardHandler))}
	var group errgroup.Group
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	w.stopAgent = func() error {
		err := errors.Join(server.Close(), group.Wait())
		client.Close()
		return err
	}
	return nil
}

// credentials writes a credentials file, NAME.json.
func (w *world) credentials(who identity.Identity) error {
	csr, key, err := identity.NewRequest()
	if err != nil {
		return err
	}
	cert, err := w.ca.Sign(csr, who)
	if err != nil {
		return err
	}
	c := identity.Credentials{
		Servers: []string{"https://" + w.address}, CA: string(w.ca.Certificate()), Certificate: string(cert), Key: string(key),
	}
	return c.Save(filepath.Join(w.dir, who.Name+".json"))
}

// register puts a node into the store; its last octet tells it from the others.
func (w *world) register(ctx context.Context, name string, octet int) error {
	n := overlay.New(overlay.KindNode).(*overlay.Node)
	n.Name = name
	n.Spec = overlay.NodeSpec{
		Underlay:    []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", octet))},
		UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor(overlay.NodeName(name)), Planes: []overlay.PlaneName{overlay.PlaneKernel},
	}
	if name == "a" {
		n.Spec.Planes = []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}
	}
	if name == "b" {
		n.Spec.Lacks = map[overlay.PlaneName]string{overlay.PlaneEBPF: "the kernel lacks tcx"}
		n.Spec.TunnelModes = map[overlay.PlaneName][]string{overlay.PlaneKernel: {"vxlan", "vxlan6", "gretap"}}
	}
	if _, _, err := w.store.Update(ctx, store.Change{Put: n, Expect: store.Absent}); err != nil {
		return err
	}
	n.Status = overlay.NodeStatus{
		Seen: time.Now().Add(-3 * time.Second), Version: "v1.2.3", Kernel: "6.18.0",
		Networks: []overlay.NetworkReport{{
			Network: "blue", Plane: overlay.PlaneKernel, PlaneReason: "auto: the only plane here",
			Wanted: 14, Present: 13, Since: time.Now().Add(-4 * time.Second), Differs: []string{"route 10.8.1.0/24: missing"},
		}},
	}
	if name == "b" {
		n.Status.Tunnels = []overlay.TunnelReport{{
			Network: "blue", Tunnel: "site", State: overlay.TunnelDown, Since: time.Now().Add(-9 * time.Second), Why: "10.7.0.9 does not answer",
			Remote: netip.MustParseAddr("203.0.113.9"), Plane: overlay.PlaneKernel, PlaneReason: "the tunnel names it", MTU: 1462,
			Drops: overlay.Drops{overlay.DropMalformed: 2},
		}}
	}
	_, _, err := w.store.Update(ctx, store.Change{Put: n, Expect: store.Any, Status: true})
	return err
}

// foreign writes credentials of another cluster's CA for the same server.
func (w *world) foreign() error {
	ca, err := identity.NewCA()
	if err != nil {
		return err
	}
	other := *w
	other.ca = ca
	return other.credentials(identity.Identity{Name: "foreign", Role: overlay.RoleAdmin, Instance: rand.Text()})
}

// memorySeal keeps in memory where the store was.
type memorySeal struct {
	mu sync.Mutex
	at overlay.Revision
}

func (s *memorySeal) Load() (overlay.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, nil
}

func (s *memorySeal) Save(at overlay.Revision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
	return nil
}

// restore makes the store another one, and waits until the server has noticed.
func (w *world) restore(ctx context.Context) error {
	if err := w.store.Restore(ctx); err != nil {
		return err
	}
	credentials, err := identity.LoadCredentials(filepath.Join(w.dir, "admin.json"))
	if err != nil {
		return err
	}
	client, err := api.NewClient(credentials)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		status, err := client.Status(ctx)
		if err != nil || status.Hold != "" && status.Ready {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
