// Package server assembles a server: its store (etcd, embedded or existing), the
// cluster's CA, and the API over both. Nothing is decided here but the order in
// which these start and stop.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/api"
	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// Options of a server. All fields without a default in brackets are required.
type Options struct {
	// Name of the host, for the server's certificate.
	Name     string
	StateDir string
	// Listen is the address of the API, "host:port" or ":port".
	Listen string
	// Advertise are the addresses or names under which others reach this
	// server, without a port or with one.
	Advertise []string
	// Lifetime of the certificates that this server issues [identity.DefaultLifetime].
	Lifetime time.Duration
	// Etcd is an existing cluster [an embedded etcd].
	Etcd    Etcd
	Version string
	Log     *slog.Logger
	// Ready is called when the server answers [nothing].
	Ready func()
}

// Etcd says how to reach an existing etcd cluster; without endpoints etcd is embedded.
type Etcd struct {
	Endpoints []string
	// CA, Certificate and Key are PEM files.
	CA, Certificate, Key string
	// Prefix of all keys ["/weft"].
	Prefix string
}

// Server is a server that has its store and its listener, and is not serving yet.
type Server struct {
	options  Options
	backend  *backend
	ca       *identity.CA
	listener net.Listener
	api      *api.Server
}

// Open opens the store and the listener; Run serves.
func Open(ctx context.Context, o Options) (*Server, error) {
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	s := &Server{options: o}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	o := s.options
	s.listener, err = net.Listen("tcp", o.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: another program has that port; end it, or choose another address with --listen", o.Listen)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: this host does not have that address; choose another with --listen", o.Listen)
	case err != nil:
		return fmt.Errorf("listen on --listen %s: %w", o.Listen, err)
	}
	addresses, names, err := s.reachable()
	if err != nil {
		return err
	}
	if s.backend, err = openBackend(ctx, o); err != nil {
		return err
	}
	if s.ca, err = identity.OpenCA(ctx, filepath.Join(o.StateDir, "ca.pem"), s.backend.vault); err != nil {
		return err
	}
	s.ca.Lifetime = cmp.Or(o.Lifetime, s.ca.Lifetime)
	s.api = api.NewServer(api.Options{
		Store: s.backend.store, Ledger: s.backend.ledger, Seal: seal(filepath.Join(o.StateDir, sealFile)), CA: s.ca, Names: names, Addresses: addresses, Version: o.Version, Logger: o.Log,
	})
	return nil
}

// reachable lists where others find this server: addresses with their port for
// tokens, and names for its certificate.
func (s *Server) reachable() (addresses, names []string, err error) {
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	for _, a := range s.options.Advertise {
		host, ownPort := a, port
		if _, err := netip.ParseAddr(a); err != nil {
			if h, p, err := net.SplitHostPort(a); err == nil {
				host, ownPort = h, p
			}
		}
		if n, err := strconv.Atoi(ownPort); err != nil || n < 1 || n > 65535 {
			return nil, nil, fmt.Errorf("--advertise %s: want an address, or address:port", a)
		}
		addresses = append(addresses, net.JoinHostPort(host, ownPort))
		names = append(names, host)
	}
	return addresses, append(names, s.options.Name, "localhost", "127.0.0.1", "::1"), nil
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	admin, err := s.admin()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.api.Serve(ctx, s.listener) })
	g.Go(func() error { return s.keepAdmin(ctx, admin) })
	g.Go(func() error { return s.backend.watch(ctx) })
	s.options.Log.Info("server ready", "listen", s.listener.Addr(), "store", s.backend.name)
	if s.options.Ready != nil {
		s.options.Ready()
	}
	return g.Wait()
}

// Close ends what Open began; after Run it closes the store.
func (s *Server) Close() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.backend != nil {
		errs = append(errs, s.backend.close())
	}
	return errors.Join(errs...)
}

// Token makes a token for the named node, also one that has joined before, or
// for any new one if the name is empty. The server has to be running.
func (s *Server) Token(ctx context.Context, node overlay.NodeName, ttl time.Duration) (string, error) {
	made, err := s.api.MakeToken(ctx, api.TokenRequest{Role: overlay.RoleNode, Node: node, TTL: api.Duration(ttl)})
	return made.Token, err
}

// Store is the server's store, for whoever starts it.
func (s *Server) Store() store.Store { return s.backend.store }

// adminFile holds the credentials that a server makes for the administrator of
// its host: root, who could take the CA's key as well.
const adminFile = "admin.json"

// keepAdmin keeps the administrator's credentials on this host fresh.
func (s *Server) keepAdmin(ctx context.Context, first *tls.Certificate) error {
	return identity.Rotate(ctx, identity.NewHolder(first), s.options.Log, func(context.Context) (*tls.Certificate, error) {
		return s.admin()
	})
}

// admin writes new credentials for the administrator.
func (s *Server) admin() (*tls.Certificate, error) {
	csr, key, err := identity.NewRequest()
	if err != nil {
		return nil, err
	}
	cert, err := s.ca.Sign(csr, identity.Identity{Name: "root-" + s.options.Name, Role: overlay.RoleAdmin})
	if err != nil {
		return nil, err
	}
	addresses, _, err := s.reachable()
	if err != nil {
		return nil, err
	}
	c := identity.Credentials{CA: string(s.ca.Certificate()), Certificate: string(cert), Key: string(key)}
	for _, a := range addresses {
		c.Servers = append(c.Servers, "https://"+a)
	}
	if err := c.Save(filepath.Join(s.options.StateDir, adminFile)); err != nil {
		return nil, fmt.Errorf("write the administrator's credentials: %w", err)
	}
	return c.KeyPair()
}
