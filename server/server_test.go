package server

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft/api"
	"weft/api/identity"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// options of a server on loopback.
func options(dir string) Options {
	return Options{
		Name: "a", StateDir: dir, Listen: "127.0.0.1:0", Advertise: []string{"127.0.0.1"},
		Version: "test", Log: slog.New(slog.DiscardHandler),
	}
}

// run opens a server and serves until the returned function is called.
func run(t *testing.T, o Options) (*Server, func()) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// admin waits for the administrator's credentials and speaks with them.
func admin(t *testing.T, dir string) *api.Client {
	t.Helper()
	var c identity.Credentials
	testenv.Eventually(t, 5*time.Second, func() (err error) {
		c, err = identity.LoadCredentials(filepath.Join(dir, adminFile))
		return err
	}, "the administrator's credentials")
	client, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func network(name string) *overlay.Network {
	n := overlay.New(overlay.KindNetwork).(*overlay.Network)
	n.Name = name
	n.Spec.Subnets = append(n.Spec.Subnets, netip.MustParsePrefix("10.7.0.0/24"))
	return n
}

// TestServer: what was written is there after a restart, under the same CA,
// and tokens of the earlier run are good.
func TestServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := run(t, options(dir))
	client := admin(t, dir)
	if _, _, err := client.Update(t.Context(), store.Change{Put: network("blue"), Expect: store.Absent}); err != nil {
		t.Fatal(err)
	}
	token, err := s.Token(t.Context(), "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	pin := s.ca.Pin()
	stop()

	o := options(dir)
	s, stop = run(t, o)
	defer stop()
	if s.ca.Pin() != pin {
		t.Error("the CA is another one after a restart")
	}
	again, err := identity.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	again.Servers = []string{s.listener.Addr().String()} // the test's port changed
	if _, err := api.Join(t.Context(), again.String(), "b"); err != nil {
		t.Errorf("join with a token of the earlier run: %v", err)
	}
	testenv.Eventually(t, 5*time.Second, func() error {
		c, err := identity.LoadCredentials(filepath.Join(dir, adminFile))
		if err != nil || !strings.HasSuffix(c.Servers[0], s.listener.Addr().String()) {
			return os.ErrNotExist
		}
		return nil
	}, "the credentials of this run")
	if _, err := admin(t, dir).Get(t.Context(), network("blue").Key()); err != nil {
		t.Error(err)
	}
}

func TestAdminFileIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := run(t, options(dir))
	defer stop()
	admin(t, dir)
	for _, name := range []string{adminFile, "ca.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", name, info.Mode(), err)
		}
	}
}

// TestOpenRefuses: a server that cannot start says why in one line, and leaves nothing open.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"port taken":        {func(o *Options) { o.Listen = taken.Addr().String() }, "another program has that port; end it, or choose another address with --listen"},
		"address elsewhere": {func(o *Options) { o.Listen = "192.0.2.250:0" }, "this host does not have that address"},
		"no port":           {func(o *Options) { o.Listen = "127.0.0.1" }, "missing port in address"},
		"bad advertise":     {func(o *Options) { o.Advertise = []string{"192.0.2.1:http"} }, "--advertise 192.0.2.1:http: want an address, or address:port"},
		"etcd without CA":   {func(o *Options) { o.Etcd = Etcd{Endpoints: []string{"https://127.0.0.1:1"}, CA: "/nowhere/ca.pem"} }, "/nowhere/ca.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			tt.change(&o)
			_, err := Open(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line with %q", err, tt.want)
			}
		})
	}
}
