package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"weft/api/identity"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

// isUnavailable checks that an error says that no server can be reached.
func isUnavailable(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v (%T), want %v", err, err, store.ErrUnavailable)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want %q in it", err, word)
		}
	}
}

func TestNextServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := &host{address: unreachable(t)}
	first, second := w.serve(t, nil), w.serve(t, nil)
	c := w.client(t, overlay.RoleAdmin, "root", dead, first, second)
	put(t, c, network("blue", "", "10.7.0.0/24")) // a write goes on, since it was never sent
	first.stop()
	if _, err := c.WhoAmI(t.Context()); err != nil {
		t.Errorf("read after the server in use stopped: %v", err)
	}
	put(t, c, network("red", "", "10.7.0.0/24"))
	second.stop()
	_, err := c.WhoAmI(t.Context())
	isUnavailable(t, err, "no server answers", dead.address, first.address, second.address, "connection refused")
	isUnavailable(t, try(t, c, network("green", "", "10.7.0.0/24")))
}

func TestWatchEndsWithTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.serve(t, nil), w.serve(t, nil)
	c := w.client(t, overlay.RoleReader, "eve", first, second)
	var at overlay.Revision
	reset := make(chan bool, 10)
	watch := func(from overlay.Revision) error {
		return c.Watch(t.Context(), store.Interest{}, from, func(b store.Batch) error {
			at = b.Revision
			reset <- b.Reset
			if len(b.Puts) > 0 && !b.Reset {
				return io.EOF
			}
			return nil
		})
	}
	done := make(chan error, 1)
	go func() { done <- watch(at) }()
	<-reset
	first.stop()
	isUnavailable(t, <-done)
	// Whoever watches again goes on at the next server.
	put(t, w.client(t, overlay.RoleAdmin, "root", second), network("blue", "", "10.7.0.0/24"))
	if err := watch(at); !errors.Is(err, io.EOF) || <-reset {
		t.Errorf("watch on: %v", err)
	}
}

// A watch whose server says nothing any more is broken.
func TestSilentWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alive := w.serve(t, func(o *Options) { o.KeepAlive = 20 * time.Millisecond })
	silent := w.serve(t, func(o *Options) { o.KeepAlive = time.Hour })
	for _, tt := range []struct {
		h    *host
		want error
	}{{alive, nil}, {silent, store.ErrUnavailable}} {
		c := w.client(t, overlay.RoleReader, "eve", tt.h)
		c.Silence = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 3*c.Silence)
		err := c.Watch(ctx, store.Interest{}, overlay.Revision{}, func(store.Batch) error { return nil })
		cancel()
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), "nothing heard for 1s") {
			t.Errorf("got %v, want %v", err, tt.want)
		}
	}
}

// A complete batch may be larger than a line.
func TestLargeReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const many = 2*batchLine + 7
	for i := range many {
		n := network(fmt.Sprintf("net%05d", i), "", "10.7.0.0/24")
		n.Spec = n.Spec.Complete()
		put(t, w.store, overlay.Resource(n))
	}
	c := w.client(t, overlay.RoleReader, "eve", w.serve(t, nil))
	err := c.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(b store.Batch) error {
		if !b.Reset || len(b.Puts) != many || b.Puts[many-1].Key().Name != fmt.Sprintf("net%05d", many-1) {
			t.Errorf("a reset of %d", len(b.Puts))
		}
		return io.EOF
	})
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// newer is a server of a later version: it says what this one does not know.
type newer struct{ answers map[string]string }

func (n newer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := n.answers[r.Method+" "+r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if strings.HasPrefix(text, `{"error"`) {
		w.WriteHeader(http.StatusConflict)
	}
	w.Header().Set(revisionHeader, "x@1")
	_, _ = io.WriteString(w, text)
}

// answering starts a TLS server that answers as it is told.
func (w *world) answering(t *testing.T, answers map[string]string) *host {
	t.Helper()
	cert, err := w.ca.ServerCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: newer{answers}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(tls.NewListener(l, identity.ServerConfig(identity.NewHolder(cert)))); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return &host{address: l.Addr().String()}
}

const (
	known   = `{"kind":"Network","name":"red","revision":1,"spec":{"vni":2,"subnets":["10.7.0.0/24"],"encapsulation":"vxlan"}}`
	field   = `{"kind":"Network","name":"blue","revision":1,"spec":{"vni":1,"colour":"azure","subnets":["10.7.0.0/24"]}}`
	value   = `{"kind":"Network","name":"green","revision":1,"spec":{"vni":3,"subnets":["10.7.0.0/24"],"encapsulation":"pigeon"}}`
	another = `{"kind":"Network","name":"grey","revision":1,"spec":{"vni":"four"}}`
)

func TestNewerServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, overlay.RoleAdmin, "root", w.answering(t, map[string]string{
		"GET /v1/watch": `{}{"revision":{"incarnation":"x","number":1},"reset":true,"more":true,"later":1,"puts":[` + known + "," + field + "]}" +
			`{"revision":{"incarnation":"x","number":1},"reset":true,"puts":[` + value + "," + another + "]}\n",
		"GET /v1/network/blue":  field,
		"GET /v1/network":       `{"revision":{},"items":[` + known + "," + field + "]}",
		"PUT /v1/network/red":   known,
		"PUT /v1/network/green": value,
	}))
	key := func(name string) overlay.Key { return overlay.Key{Kind: overlay.KindNetwork, Name: name} }
	var b store.Batch
	err := c.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(got store.Batch) error { b = got; return io.EOF })
	if !errors.Is(err, io.EOF) || len(b.Puts) != 4 || !b.Reset {
		t.Fatalf("batch %+v, %v", b, err)
	}
	for name, want := range map[string]string{"blue": `field "colour"`, "green": `encapsulation "pigeon"`, "grey": "cannot unmarshal string"} {
		if got := b.Unknown[key(name)]; !strings.Contains(got, want) {
			t.Errorf("%s: unknown %q, want %q", name, got, want)
		}
		if err := try(t, c, network(name, "", "10.9.0.0/24")); err == nil || !strings.Contains(err.Error(), "would lose it") {
			t.Errorf("%s was written back: %v", name, err)
		}
	}
	if len(b.Unknown) != 3 {
		t.Errorf("unknown: %v", b.Unknown)
	}
	if n := b.Puts[1].(*overlay.Network); n.Spec.VNI != 1 || len(n.Spec.Subnets) != 1 {
		t.Errorf("what is known beside an unknown field was lost: %+v", n)
	}
	put(t, c, network("red", "", "10.7.0.0/24"))
	if _, _, err := c.Update(t.Context(), store.Change{Put: network("green", "", "10.7.0.0/24"), Status: true}); err != nil {
		t.Errorf("write a status alone: %v", err)
	}

	fresh := w.client(t, overlay.RoleAdmin, "root", &host{address: strings.TrimPrefix(c.servers[0], "https://")})
	if _, err := fresh.Get(t.Context(), key("blue")); err != nil {
		t.Error(err)
	}
	if err := try(t, fresh, network("blue", "", "10.7.0.0/24")); err == nil {
		t.Error("what was read with an unknown field was written back")
	}
}

// What is not Weft's answer is said to be that.
func TestStrangeServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, overlay.RoleAdmin, "root", w.answering(t, map[string]string{
		"GET /v1/network/red":    known[:20],
		"GET /v1/network/blue":   `{"kind":"Spaceship","name":"x"}`,
		"GET /v1/network/green":  `{"error":"no","code":"newfangled"}`,
		"GET /v1/watch":          `{"revision":{"incarnation":"x","number":1},"reset":true,"more":true}`,
		"DELETE /v1/network/red": "",
	}))
	for name, want := range map[string]string{"red": "broke off", "blue": `kind "Spaceship" is unknown`, "green": "no", "grey": "is not Weft's answer: 418"} {
		if _, err := c.Get(t.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	err := c.Watch(t.Context(), store.Interest{}, overlay.Revision{}, func(b store.Batch) error {
		t.Errorf("half a batch was delivered: %+v", b)
		return nil
	})
	isUnavailable(t, err, "broke off")
}

// The server refuses what it does not know, instead of dropping it.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	send := func(path, body string) error {
		_, err := admin.call(t.Context(), http.MethodPut, path, nil, json.RawMessage(body), nil)
		return err
	}
	for _, tt := range []struct{ path, body, want string }{
		{"/v1/network/x", field, `unknown field "colour"; correct the spelling; or the server is older`},
		{"/v1/network/x", known, "network x: the body is about network red"},
		{"/v1/network/x", `{"kind":"Node","name":"x"}`, "network x: the body is about node x"},
		{"/v1/network/x", `{"spec":{"vni":16777216,"subnets":["10.7.0.0/24"]}}`, "VNI 16777216"},
		{"/v1/network/x", `{"spec":{"vni":-1}}`, "cannot unmarshal number -1"},
		{"/v1/network/x", `{"spec":{"subnets":["10.7.0.0/33"]}}`, "10.7.0.0/33"},
		{"/v1/network/x", `{"spec":{"subnets":[""]}}`, "a subnet is missing or invalid"},
		{"/v1/network/x", `[]`, "cannot unmarshal array"},
		{"/v1/network/x", `null`, "no subnet"},
		{"/v1/network/X", `{}`, "lower-case"},
		{"/v1/network/x?expect=soon", `{}`, "want absent, any or a revision"},
		{"/v1/network/x?expect=-1", `{}`, "want absent, any or a revision"},
		{"/v1/endpoint/blue/x", `{"network":"red"}`, "the body is about endpoint red/x"},
		{"/v1/endpoint/blue/x", `{"spec":{"node":"a","mac":"ff:ff:ff:ff:ff:ff","attach":{"type":"netns","target":"/x"}}}`, "is a multicast address"},
		{"/v1/endpoint/blue/x", `{"spec":{"node":"a","attach":{"type":"netns"}}}`, "the namespace is missing"},
		{"/v1/node/c", `{"spec":{"underlay":["192.0.2.9/24"],"underlayMTU":1}}`, "underlay MTU 1"},
	} {
		t.Log(tt.path, tt.body)
		w.refusal(t, send(tt.path, tt.body), CodeInvalid, tt.want)
	}
	for _, q := range []string{"kinds=ship", "revision=x", "revision=-1", "netwrk=blue"} {
		_, err := admin.call(t.Context(), http.MethodGet, "/v1/watch?"+q, nil, nil, nil)
		w.refusal(t, err, CodeInvalid)
	}
	for _, path := range []string{"/v1/node?network=blue&nodes=a", "/v1/network/blue?force=1", "/v1/node/a?x=%zz"} {
		_, err := admin.call(t.Context(), http.MethodGet, path, nil, nil, nil)
		w.refusal(t, err, CodeInvalid)
	}
	for _, path := range []string{"/", "/v1", "/v1/ship", "/v1/network/a/b/c", "/v1/endpoint/blue/x/y"} {
		_, err := admin.call(t.Context(), http.MethodGet, path, nil, nil, nil)
		w.refusal(t, err, CodeNotFound, path+": there is no such thing here")
	}
}

func TestClientRefusesKeys(t *testing.T) {
	t.Parallel()
	c := newWorld(t).client(t, overlay.RoleAdmin, "root", &host{address: unreachable(t)})
	for _, k := range []overlay.Key{
		{}, {Kind: "Ship", Name: "x"}, {Kind: overlay.KindNode}, {Kind: overlay.KindNode, Name: ".."}, {Kind: overlay.KindNode, Name: "a/b"},
		{Kind: overlay.KindNode, Network: "blue", Name: "a"}, {Kind: overlay.KindEndpoint, Name: "x"}, {Kind: overlay.KindEndpoint, Network: "blue"},
	} {
		_, _, err := c.Update(t.Context(), store.Change{Delete: k, Expect: store.Any})
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeInvalid {
			t.Errorf("delete %#v: %v", k, err)
		}
		if _, err := c.Get(t.Context(), k); !errors.As(err, &e) || e.Code != CodeInvalid {
			t.Errorf("get %#v: %v", k, err)
		}
	}
}

// A store that cannot be reached is told from one that refuses; the server says
// so at once, and the next one is asked.
func TestStoreIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.store
	w.store = gone{good}
	without := w.serve(t, nil, func(s *Server) { s.readyPatience = 50 * time.Millisecond })
	w.store = good
	with := w.serve(t, nil)
	only := w.client(t, overlay.RoleAdmin, "root", without)
	isUnavailable(t, try(t, only, network("blue", "", "10.7.0.0/24")), "has not reached its store yet")
	if s, err := only.Status(t.Context()); err != nil || s.Ready {
		t.Errorf("status %+v, %v", s, err)
	}
	both := w.client(t, overlay.RoleAdmin, "root", without, with)
	if _, _, err := both.List(t.Context(), overlay.KindNode, "", ""); err != nil {
		t.Errorf("list: %v", err)
	}
	testenv.Eventually(t, soon, func() error {
		if w.log.count("watch store", "not available") == 0 {
			return errors.New("nothing is logged")
		}
		return nil
	}, "the server says that it has lost its store")
}

// gone is a store that cannot be reached.
type gone struct{ store.Store }

func (gone) Watch(context.Context, store.Interest, overlay.Revision, func(store.Batch) error) error {
	return store.ErrUnavailable
}

func (gone) Update(context.Context, store.Change) (overlay.Resource, overlay.Revision, error) {
	return nil, overlay.Revision{}, store.ErrUnavailable
}
