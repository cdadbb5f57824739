package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/api"
	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// watch is an open one, of somebody with a certificate that rotates.
type watch struct {
	stop    context.CancelFunc
	client  *api.Client
	running errgroup.Group

	mu    sync.Mutex
	shows string // the certificate
	// resets is how often everything came anew, seen what came.
	resets int
	seen   []string
}

// watch opens one of a network's endpoints.
func (w *world) watch(network overlay.NetworkName) *watch {
	w.t.Helper()
	file := filepath.Join(w.Dir(), "reader.json")
	w.run("a", "--credentials "+file+" login "+w.run("a", "token create --role reader"))
	c, err := identity.LoadCredentials(file)
	if err != nil {
		w.t.Fatal(err)
	}
	c.Servers = []string{"https://" + w.server}
	client, err := api.NewClient(c)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	v := &watch{stop: stop, client: client, shows: c.Certificate}
	w.t.Cleanup(func() { v.end(w.t) })
	v.running.Go(func() error {
		return client.Rotate(ctx, slog.New(slog.DiscardHandler), func(fresh identity.Credentials) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.shows = fresh.Certificate
			return nil
		})
	})
	v.running.Go(func() error {
		interest := store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint}, Networks: []overlay.NetworkName{network}}
		err := client.Watch(ctx, interest, overlay.Revision{}, v.deliver)
		if ctx.Err() == nil {
			err = fmt.Errorf("the watch ended: %w", err)
		}
		return err
	})
	return v
}

func (v *watch) deliver(b store.Batch) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if b.Reset {
		v.resets++
	}
	for _, r := range b.Puts {
		v.seen = append(v.seen, r.Key().Name)
	}
	return nil
}

func (v *watch) certificate() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shows
}

// has returns nil once the endpoint was delivered.
func (v *watch) has(endpoint string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Contains(v.seen, endpoint) {
		return errors.New("delivered so far: " + fmt.Sprint(v.seen))
	}
	return nil
}

// end ends the watch, and fails the test if it had ended before or began again.
func (v *watch) end(t *testing.T) {
	t.Helper()
	v.stop()
	if err := v.running.Wait(); err != nil {
		t.Error(err)
	}
	v.client.Close()
	if v.resets != 1 {
		t.Errorf("the watch delivered everything %d times, want once: it did not stay open", v.resets)
	}
}
