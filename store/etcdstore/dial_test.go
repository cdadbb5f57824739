package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
	"weft/store/storetest"
)

// TestCluster runs the contract on an etcd in a process of its own, over TLS
// with client certificates.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, newCertificates(t))
	c.contract(t)
}

// contract holds stores in the cluster to it.
func (c *cluster) contract(t *testing.T) {
	t.Helper()
	c.dial(c.options())
	config, err := c.options().config()
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	factory := func(t *testing.T) store.Store {
		s, err := Open(t.Context(), client, Options{Prefix: "/" + testenv.Name(t, "weft"), Now: storetest.Now})
		return opened(t, s, err)
	}
	storetest.Run(t, factory)
	storetest.Blocks(t, factory)
}

// TestRefused: who is not known to the cluster, or does not know it, gets nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t, newCertificates(t))
	c.dial(c.options())
	other := newCertificates(t)(c.address)
	misnamed := newCertificates(t)(loopback())
	elsewhere := "https://" + freePort(t, c.address).String()
	for _, tt := range []struct {
		name, says string
		change     func(*DialOptions)
	}{
		{"no client certificate", "refuses this client's certificate: tls: certificate required", func(o *DialOptions) { o.Cert, o.Key = "", "" }},
		{"a client certificate of another CA", "refuses this client's certificate: tls: ", func(o *DialOptions) { o.Cert, o.Key = other.Client.Cert, other.Client.Key }},
		{"a server of another CA", "that the given CA did not issue", func(o *DialOptions) { o.CA = other.CA }},
		{"another name", "shows a certificate for another name: ", func(o *DialOptions) {
			o.Endpoints, o.CA = []string{"https://" + serveTLS(t, c.address, misnamed.Server)}, misnamed.CA
		}},
		{"nobody there", elsewhere + " refuses the connection: nothing listens there", func(o *DialOptions) { o.Endpoints = []string{elsewhere} }},
		{"no TLS", "want https:// if it has TLS", func(o *DialOptions) {
			*o = DialOptions{Endpoints: []string{"http" + strings.TrimPrefix(c.client, "https")}}
		}},
	} {
		o := c.options()
		tt.change(&o)
		o.Timeout = time.Second
		s, err := Dial(t.Context(), o)
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, error %v; want ErrUnavailable, and %q", tt.name, s, err, tt.says)
		}
	}
}

// serveTLS shows everybody at an address a certificate, and does nothing more.
func serveTLS(t *testing.T, a netip.Addr, p testenv.KeyPair) (address string) {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", netip.AddrPortFrom(a, 0).String(), &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) }) // until it is closed
	t.Cleanup(func() { _ = s.Close(); serving.Wait() })
	return l.Addr().String()
}

// TestTLSIsNotThere: who expects TLS of a cluster without it is told so.
func TestTLSIsNotThere(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	c.dial(c.options())
	o := DialOptions{Endpoints: []string{"https" + strings.TrimPrefix(c.client, "http")}, Options: Options{Timeout: time.Second}}
	if s, err := Dial(t.Context(), o); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "want http:// if it has none") {
		t.Errorf("got %v, error %v", s, err)
	}
}

// TestRotation: a client certificate that was replaced is used from the next
// connection on. The cluster no longer takes the old one then.
func TestRotation(t *testing.T) {
	t.Parallel()
	c := startCluster(t, newCertificates(t))
	o := c.options()
	s := c.dial(o)
	put(t, s, node(1))
	c.kill()
	next := newCertificates(t)(c.address)
	for from, to := range map[string]string{next.Client.Cert: o.Cert, next.Client.Key: o.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	c.trusted = next.CA
	c.start()
	testenv.Eventually(t, 20*time.Second, func() error {
		_, _, err := s.Update(t.Context(), store.Change{Put: node(2), Expect: store.Any})
		return err
	}, "the store is back")
}

func TestDialOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := newCertificates(t)(netip.MustParseAddr("127.0.0.1"))
	https := []string{"https://127.0.0.1:1"}
	for _, tt := range []struct {
		name, want string
		o          DialOptions
	}{
		{"nothing", "none given", DialOptions{}},
		{"no scheme", `etcd endpoint "127.0.0.1:1": want https://HOST:PORT`, DialOptions{Endpoints: []string{"127.0.0.1:1"}}},
		{"a path", "want https://HOST:PORT", DialOptions{Endpoints: []string{"https://127.0.0.1:1/x"}}},
		{"two schemes", "want one scheme for all", DialOptions{Endpoints: []string{"https://127.0.0.1:1", "http://127.0.0.1:2"}}},
		{"files without TLS", "TLS files are given", DialOptions{Endpoints: []string{"http://127.0.0.1:1"}, CA: good.CA}},
		{"no such CA", "no such file", DialOptions{Endpoints: https, CA: filepath.Join(dir, "none")}},
		{"no CA in the file", "has no certificate in PEM", DialOptions{Endpoints: https, CA: text}},
		{"a certificate without its key", "etcd client certificate", DialOptions{Endpoints: https, CA: good.CA, Cert: good.Client.Cert}},
		{"another one's key", "etcd client certificate", DialOptions{Endpoints: https, Cert: good.Client.Cert, Key: good.Server.Key}},
	} {
		if s, err := Dial(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, error %v; want %q", tt.name, s, err, tt.want)
		}
	}
}

// background watches a store into a channel.
func background(ctx context.Context, s store.Store, from overlay.Revision) (<-chan store.Batch, <-chan error) {
	batches, ended := make(chan store.Batch, 100), make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, store.Interest{}, from, func(b store.Batch) error {
			batches <- b
			return nil
		})
	}()
	return batches, ended
}

// TestEtcdRestarts: while etcd is away the store is not available, and a watch says
// so; afterwards it goes on from where it was.
func TestEtcdRestarts(t *testing.T) {
	t.Parallel()
	c := startCluster(t, newCertificates(t))
	s := c.dial(c.options())
	put(t, s, node(1))
	batches, ended := background(t.Context(), s, overlay.Revision{})
	at := (<-batches).Revision
	c.kill()
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("watch: got %v, want ErrUnavailable", err)
	}
	if _, _, err := s.Update(t.Context(), store.Change{Put: node(2), Expect: store.Any}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("update: got %v, want ErrUnavailable", err)
	}
	if err := s.Watch(t.Context(), store.Interest{}, at, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("watch again: got %v, want ErrUnavailable", err)
	}
	c.start()
	testenv.Eventually(t, 20*time.Second, func() error {
		_, _, err := s.Update(t.Context(), store.Change{Put: node(3), Expect: store.Any})
		return err
	}, "the store is back")
	batches, _ = background(t.Context(), s, at)
	for got := 0; got < 1; {
		b := <-batches
		for _, r := range b.Puts {
			if r.Key() == node(3).Key() {
				got++
			}
		}
		if b.Reset {
			t.Errorf("resumed with %+v", b)
		}
	}
}

// TestEtcdRestored: an older state of etcd under the same incarnation is noticed
// by the store that was there, and by whoever watches from what it saw.
func TestEtcdRestored(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	s := c.dial(c.options())
	put(t, s, node(1))
	c.kill()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	c.start()
	s = c.dial(c.options())
	var at overlay.Revision
	for n := range 5 {
		at = put(t, s, node(10+n))
	}
	c.kill()
	c.dir = backup
	if err := os.Chmod(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.start()
	var restored *Store
	testenv.Eventually(t, 20*time.Second, func() error {
		var err error
		restored, err = Dial(t.Context(), c.options())
		return err
	}, "etcd answers")
	defer restored.Close()
	if restored.Incarnation() != at.Incarnation {
		t.Fatalf("the incarnation is %s, was %s", restored.Incarnation(), at.Incarnation)
	}
	if err := restored.Watch(t.Context(), store.Interest{}, at, nil); !errors.Is(err, store.ErrRestored) {
		t.Errorf("watch from before: got %v, want ErrRestored", err)
	}
	// The store that saw more goes on refusing, also when etcd gets there again.
	refused := func() error {
		_, _, err := s.Update(t.Context(), store.Change{Put: node(2), Expect: store.Any})
		if errors.Is(err, store.ErrRestored) {
			return nil
		}
		return errors.Join(errors.New("not refused"), err)
	}
	testenv.Eventually(t, 20*time.Second, refused, "the store that saw more notices")
	for n := range 10 {
		put(t, restored, node(20+n))
	}
	if err := refused(); err != nil {
		t.Error(err)
	}
	if err := s.Watch(t.Context(), store.Interest{}, overlay.Revision{}, nil); !errors.Is(err, store.ErrRestored) {
		t.Errorf("watch: got %v, want ErrRestored", err)
	}
	// A new incarnation is the way on.
	if err := s.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, node(2))
}
