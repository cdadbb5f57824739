package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"weft/api/identity"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

// follower is a client that rotates its certificate, with an open watch.
type follower struct {
	*Client
	stop func()
	// saved are the certificates that it got.
	saved []identity.Credentials
	// resets and seen are what its watch was delivered.
	resets int
	seen   []string
}

// follow starts a follower; what its watch delivers comes in order.
func follow(t *testing.T, c *Client, log *slog.Logger) *follower {
	t.Helper()
	f := &follower{Client: c}
	ctx, cancel := context.WithCancel(context.Background())
	rotated, watched := make(chan error, 1), make(chan error, 1)
	go func() {
		rotated <- c.Rotate(ctx, log, func(fresh identity.Credentials) error {
			f.saved = append(f.saved, fresh)
			return nil
		})
	}()
	go func() {
		watched <- c.Watch(ctx, store.Interest{Kinds: []overlay.Kind{overlay.KindNetwork}}, overlay.Revision{}, func(b store.Batch) error {
			if b.Reset {
				f.resets++
			}
			for _, r := range b.Puts {
				f.seen = append(f.seen, r.Key().Name)
			}
			return nil
		})
	}()
	f.stop = func() {
		cancel()
		if err := errors.Join(<-rotated, <-watched); err != nil {
			t.Errorf("rotate and watch: %v", err)
		}
	}
	return f
}

// check checks what a follower has when all is over.
func (f *follower) check(t *testing.T, networks, rotations int) {
	t.Helper()
	if f.resets != 1 || len(f.seen) != networks {
		t.Errorf("the watch was delivered %d networks and %d resets; want %d and 1", len(f.seen), f.resets, networks)
	}
	for i, name := range f.seen {
		if want := fmt.Sprintf("net%d", i); name != want {
			t.Fatalf("network %d is %s: the watch lost something, or repeated it: %v", i, name, f.seen)
		}
	}
	if len(f.saved) < rotations {
		t.Errorf("%d rotations, want %d", len(f.saved), rotations)
	}
}

// An hour with certificates of one minute, on a clock of its own: an open watch
// and a request each second notice nothing.
func TestRotationForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store, w.ca.Lifetime = memstore.New(memstore.Options{}), time.Minute
		log := slog.New(slog.NewTextHandler(w.log, nil))
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := NewServer(Options{Store: w.store, CA: w.ca, Logger: log})
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx, l) }()

		c, err := NewClient(w.credentials(t, overlay.RoleNode, "a", &host{address: "pipe:1"}))
		if err != nil {
			t.Fatal(err)
		}
		c.dial = l.dial
		put(t, c, node("a", 1))
		f := follow(t, c, log)
		const minutes = 60
		for i := range minutes {
			n := network(fmt.Sprintf("net%d", i), "", "10.7.0.0/24")
			n.Spec.VNI = overlay.VNI(i + 1)
			put(t, w.store, overlay.Resource(n))
			for range 60 {
				time.Sleep(time.Second)
				if who, err := c.WhoAmI(ctx); err != nil || time.Until(who.Expires) <= 0 {
					t.Fatalf("after %d minutes: %+v, %v", i, who, err)
				}
			}
		}
		f.stop()
		f.check(t, minutes, minutes)
		c.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if n := w.log.count("msg=refused"); n > 0 {
			t.Errorf("%d requests were refused", n)
		}
		synctest.Wait()
	})
}

// pipes is a network in memory, which a bubble's clock does not wait for.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// The same on real sockets, by the real clock: three certificates of six
// seconds each.
func TestRotationOnTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ca.Lifetime = 6 * time.Second
	h := w.serve(t, nil)
	c := w.client(t, overlay.RoleNode, "a", h)
	put(t, c, node("a", 1))
	f := follow(t, c, slog.New(slog.NewTextHandler(w.log, nil)))
	networks := 0
	testenv.Eventually(t, time.Minute, func() error {
		n := network(fmt.Sprintf("net%d", networks), "", "10.7.0.0/24")
		n.Spec.VNI = overlay.VNI(networks + 1)
		put(t, w.store, overlay.Resource(n))
		networks++
		if _, err := c.WhoAmI(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := w.log.count("renewed certificate"); n < 2*3+1 { // the server's own too
			return fmt.Errorf("%d renewals", n)
		}
		return nil
	}, "three rotations")
	f.stop()
	f.check(t, networks, 3)
}
