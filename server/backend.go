package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"weft/api/identity"
	"weft/store"
	"weft/store/etcdstore"
)

// backend is where a server's resources are.
type backend struct {
	name   string
	store  store.Store
	ledger store.Ledger
	vault  identity.Vault
	close  func() error
	// stopped is closed when the store ended by itself; nil: it cannot.
	stopped <-chan struct{}
}

// openBackend opens an existing cluster, or embeds etcd.
func openBackend(ctx context.Context, o Options) (*backend, error) {
	options := etcdstore.Options{Prefix: o.Etcd.Prefix}
	if len(o.Etcd.Endpoints) > 0 {
		s, err := etcdstore.Dial(ctx, etcdstore.DialOptions{
			Options: options, Endpoints: o.Etcd.Endpoints,
			CA: o.Etcd.CA, Cert: o.Etcd.Certificate, Key: o.Etcd.Key, Log: o.Log,
		})
		name := "etcd at " + strings.Join(o.Etcd.Endpoints, ",")
		if errors.Is(err, store.ErrUnavailable) {
			return nil, fmt.Errorf("%s: %w; does it run, and take this client's certificate?", name, err)
		}
		if err != nil {
			return nil, err
		}
		return &backend{name: name, store: s, ledger: s, vault: s, close: s.Close}, nil
	}
	s, err := etcdstore.Embed(ctx, filepath.Join(o.StateDir, "etcd"), etcdstore.EmbedOptions{Options: options, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return &backend{name: "embedded etcd", store: s, ledger: s, vault: s, close: s.Close, stopped: s.Stopped()}, nil
}

// watch returns an error when the store ends by itself, and nil when ctx ends.
func (b *backend) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-b.stopped:
		return errors.New("the embedded etcd stopped by itself; its last log lines say why")
	}
}
