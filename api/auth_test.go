package api

import (
	"bufio"
	"context"
	"crypto/tls"
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

// refusal checks that an error is a refusal with the code and the words, and
// that the server logged it once.
func (w *world) refusal(t *testing.T, err error, code Code, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v (%T), want a refusal of code %s", err, err, code)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want %q in it", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than a line", err)
	}
	if n := w.log.count("msg=refused", e.Message[:min(40, len(e.Message))]); n != 1 {
		t.Errorf("%q was logged %d times, want once", e.Message, n)
	}
}

// newToken makes a token.
func newToken(t *testing.T, h *host, r TokenRequest) NewToken {
	t.Helper()
	made, err := h.MakeToken(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	h := w.serve(t, func(o *Options) { o.Now = func() time.Time { return now } })
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	put(t, admin, node("taken", 1))
	good := newToken(t, h, TokenRequest{Name: "good"}).Token
	bound := newToken(t, h, TokenRequest{Name: "bound", Node: "a"}).Token
	person := newToken(t, h, TokenRequest{Name: "person", Role: overlay.RoleReader}).Token
	revoked := newToken(t, h, TokenRequest{Name: "revoked"})
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindToken, Name: revoked.Name}, false); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	parts[2] = strings.Repeat("A", len(parts[2]))
	wrong := strings.Join(parts, ".")
	parts[1] = "nobody"
	unknown := strings.Join(parts, ".")

	for _, tt := range []struct {
		name, token string
		node        overlay.NodeName
		code        Code
		words       []string
	}{
		{"wrong secret", wrong, "b", CodeForbidden, []string{"token good: the token is wrong, or was revoked", "weft token create"}},
		{"unknown name", unknown, "b", CodeForbidden, []string{"token nobody: the token is wrong, or was revoked"}},
		{"revoked", revoked.Token, "b", CodeForbidden, []string{"token revoked: the token is wrong, or was revoked"}},
		{"another node's name", good, "taken", CodeForbidden, []string{"node taken exists already", "--node"}},
		{"token of another node", bound, "b", CodeForbidden, []string{"the token is for node a, not for node b"}},
		{"person's token for a node", person, "b", CodeForbidden, []string{"token person is for a person (reader)"}},
		{"no name", good, "", CodeInvalid, []string{"the name is missing", "--node"}},
		{"bad name", good, "Bad_Name", CodeInvalid, []string{"lower-case"}},
	} {
		_, err := Join(t.Context(), tt.token, tt.node)
		t.Log(tt.name)
		w.refusal(t, err, tt.code, tt.words...)
	}
	now = now.Add(DefaultTokenTTL)
	_, err := Join(t.Context(), good, "b")
	w.refusal(t, err, CodeForbidden, "token good: the token has expired")
	if w.log.count(strings.Split(good, ".")[2]) > 0 {
		t.Error("a token's secret was logged")
	}
}

func TestJoinTrustsTheFingerprint(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	h, impostor := w.serve(t, nil), other.serve(t, nil)
	token, err := identity.ParseToken(newToken(t, h, TokenRequest{}).Token)
	if err != nil {
		t.Fatal(err)
	}
	token.Servers = []string{impostor.address}
	_, err = Join(t.Context(), token.String(), "a")
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeForbidden || !strings.Contains(err.Error(), "its CA has another fingerprint") {
		t.Errorf("join an impostor: %v", err)
	}
	if n := other.log.count("joined") + other.log.count("/v1/join"); n != 0 {
		t.Error("the impostor was sent the token")
	}
	// The next server of the token is tried when one does not answer.
	token.Servers = []string{unreachable(t), h.address}
	if _, err := Join(t.Context(), token.String(), "a"); err != nil {
		t.Errorf("join by the second server: %v", err)
	}
}

// unreachable is an address where nobody listens.
func unreachable(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestCertificateRefusals(t *testing.T) {
	t.Parallel()
	w, foreign := newWorld(t), newWorld(t)
	h := w.serve(t, nil)
	past := *w.ca
	past.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	past.Lifetime = time.Minute
	with := func(signer *world) *Client {
		c := signer.credentials(t, overlay.RoleAdmin, "root", h)
		c.CA = string(w.ca.Certificate())
		client, err := NewClient(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	_, err := with(foreign).WhoAmI(t.Context())
	w.refusal(t, err, CodeForbidden, "the certificate is not from this cluster's CA", "credentials of another cluster")
	_, err = with(&world{ca: &past}).WhoAmI(t.Context())
	w.refusal(t, err, CodeForbidden, "the certificate has expired", "is the clock right?")

	config, err := identity.ClientConfig(w.ca.Certificate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	anonymous := connection{servers: []string{"https://" + h.address}, config: config}
	defer anonymous.Close()
	_, err = anonymous.call(t.Context(), "GET", "/v1/node", nil, nil, nil)
	w.refusal(t, err, CodeForbidden, "a certificate is needed", "weft token create")
	// What a stranger may see.
	for _, path := range []string{"/v1/ca", "/v1/openapi.json"} {
		if _, err := anonymous.call(t.Context(), "GET", path, nil, nil, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A server of another cluster is told from one that does not answer.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	foreign := other.serve(t, nil)
	_, err := w.client(t, overlay.RoleAdmin, "root", foreign).WhoAmI(t.Context())
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeForbidden || !strings.Contains(err.Error(), "is not a server of this cluster") {
		t.Errorf("got %v", err)
	}
	if _, err := w.client(t, overlay.RoleAdmin, "root", foreign, w.serve(t, nil)).WhoAmI(t.Context()); err != nil {
		t.Errorf("beside a server of this cluster: %v", err)
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/status HTTP/1.1\r\nHost: %s\r\n\r\n", h.address)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusBadRequest || strings.TrimSpace(string(text)) != "Client sent an HTTP request to an HTTPS server." {
		t.Errorf("%s: %q, %v", r.Status, text, err)
	}
	testenv.Eventually(t, soon, func() error {
		if n := w.log.count("client sent an HTTP request to an HTTPS server"); n != 1 {
			return fmt.Errorf("logged %d times", n)
		}
		return nil
	}, "plain HTTP is logged")
}

func TestOldTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	config, err := identity.ClientConfig(w.ca.Certificate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if conn, err := tls.Dial("tcp", h.address, config); err == nil {
		conn.Close()
		t.Error("TLS 1.2 was accepted")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	reader := w.client(t, overlay.RoleReader, "eve", h)
	a, b := w.client(t, overlay.RoleNode, "a", h), w.client(t, overlay.RoleNode, "b", h)
	put(t, a, node("a", 1))
	put(t, b, node("b", 2))
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	web := put(t, a, endpoint("blue", "web", "a"))
	put(t, b, endpoint("blue", "db", "b"))

	remove := func(c *Client, k overlay.Key) error { return c.Remove(t.Context(), k, false) }
	watch := func(c *Client, kinds ...overlay.Kind) error {
		return c.Watch(t.Context(), store.Interest{Kinds: kinds}, overlay.Revision{}, func(store.Batch) error { return errors.New("delivered") })
	}
	_, createToken := b.CreateToken(t.Context(), TokenRequest{})
	_, _, listTokens := reader.List(t.Context(), overlay.KindToken, "", "")
	for _, tt := range []struct {
		name  string
		err   error
		words string
	}{
		{"reader writes a network", try(t, reader, network("red", "", "10.9.0.0/24")), "reader eve may not write network red; log in as an administrator: weft login TOKEN"},
		{"reader writes an endpoint", try(t, reader, endpoint("blue", "x", "a")), "reader eve may not write endpoint blue/x"},
		{"reader deletes", remove(reader, web.Key()), "reader eve may not delete endpoint blue/web"},
		{"reader lists tokens", listTokens, "reader eve may not read tokens"},
		{"node makes a token", createToken, "node b may not write tokens"},
		{"node watches tokens", watch(b, overlay.KindToken), "node b may not watch tokens"},
		{"node writes a network", try(t, b, network("red", "", "10.9.0.0/24")), "node b may not write network red"},
		{"node writes another's record", try(t, b, node("a", 3)), "node b may not write node a"},
		{"node writes another's endpoint", try(t, b, endpoint("blue", "new", "a")), "node b may not write endpoint blue/new of node a"},
		{"node takes another's endpoint", try(t, b, endpoint("blue", "web", "b")), "endpoint blue/web is on node a"},
		{"node deletes another's endpoint", remove(b, web.Key()), "node b may not delete endpoint blue/web of node a"},
		{"node deletes a network", remove(b, overlay.Key{Kind: overlay.KindNetwork, Name: "blue"}), "node b may not delete network blue"},
		{"node deletes its record", remove(b, overlay.Key{Kind: overlay.KindNode, Name: "b"}), "node b may not delete node b"},
		{"admin writes a block", try(t, admin, &overlay.Block{Meta: overlay.Meta{Kind: overlay.KindBlock, Network: "blue", Name: "x"}}), "only servers make blocks"},
	} {
		t.Log(tt.name)
		w.refusal(t, tt.err, CodeForbidden, tt.words)
	}
	if stored, err := admin.Get(t.Context(), web.Key()); err != nil || stored.Header().Revision != web.Revision {
		t.Errorf("after all that, %s is %+v, %v", web.Key(), stored, err)
	}
	// What they may.
	if err := watch(reader); err == nil || err.Error() != "delivered" {
		t.Errorf("reader watches: %v", err)
	}
	if err := remove(a, web.Key()); err != nil {
		t.Errorf("node deletes its endpoint: %v", err)
	}
	if err := remove(a, web.Key()); err != nil {
		t.Errorf("node deletes it again: %v", err)
	}
	if _, _, err := a.Update(t.Context(), store.Change{Put: node("a", 1), Status: true, Expect: store.Any}); err != nil {
		t.Errorf("node writes its status: %v", err)
	}
}

// Two hosts of one name: the first has the record. The second joins only by a
// token for that very node, and then the first is out.
func TestTwoHostsOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	put(t, admin, network("blue", "", "10.7.0.0/24"))
	token := newToken(t, h, TokenRequest{}).Token
	joined := func(token string) *Client {
		credentials, err := Join(t.Context(), token, "ubuntu")
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewClient(credentials)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	first, second := joined(token), joined(token) // at the same time: nobody has a record yet
	put(t, first, node("ubuntu", 1))
	w.refusal(t, try(t, second, node("ubuntu", 2)), CodeForbidden, "another host is node ubuntu", "--node")
	_, err := Join(t.Context(), token, "ubuntu")
	w.refusal(t, err, CodeForbidden, "node ubuntu exists already")

	third := joined(newToken(t, h, TokenRequest{Node: "ubuntu"}).Token)
	put(t, third, node("ubuntu", 3))
	put(t, third, endpoint("blue", "web", "ubuntu"))
	if err := try(t, first, endpoint("blue", "x", "ubuntu")); !isForbidden(err) {
		t.Errorf("the host that was replaced writes an endpoint: %v", err)
	}
	if _, err := first.Renew(t.Context()); !isForbidden(err) {
		t.Errorf("the host that was replaced renews: %v", err)
	}
	if _, err := third.Renew(t.Context()); err != nil {
		t.Errorf("renew: %v", err)
	}
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNode, Name: "ubuntu"}, true); err != nil {
		t.Fatal(err)
	}
	_, err = third.Renew(t.Context())
	w.refusal(t, err, CodeRevoked, "node ubuntu was removed at", "weftd agent --join TOKEN")
}

func isForbidden(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == CodeForbidden
}

func TestPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	credentials, err := Join(t.Context(), newToken(t, h, TokenRequest{Name: "anna", Role: overlay.RoleAdmin, TTL: Duration(time.Minute)}).Token, "")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := credentials.Identity(); err != nil || id.String() != "admin anna" {
		t.Errorf("identity %v, %v", id, err)
	}
	anna, err := NewClient(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	put(t, anna, network("blue", "", "10.7.0.0/24"))
	if status, err := anna.Status(t.Context()); err != nil || !status.Ready || status.Version != "test" || status.Revision.IsZero() {
		t.Errorf("status %+v, %v", status, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := anna.WhoAmI(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestBadTokenRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.client(t, overlay.RoleAdmin, "root", w.serve(t, nil))
	for _, tt := range []struct {
		request TokenRequest
		want    string
	}{
		{TokenRequest{Role: "king"}, `role "king"`},
		{TokenRequest{Role: overlay.RoleServer}, `role "server"`},
		{TokenRequest{TTL: Duration(-time.Hour)}, "ttl -1h0m0s"},
		{TokenRequest{Role: overlay.RoleReader, Node: "a"}, "only tokens of role node are for a node"},
		{TokenRequest{Node: "A"}, "lower-case"},
		{TokenRequest{Name: "x y"}, "lower-case"},
	} {
		_, err := admin.CreateToken(t.Context(), tt.request)
		w.refusal(t, err, CodeInvalid, tt.want)
	}
	if err := new(Duration).UnmarshalText(nil); err == nil {
		t.Error("an empty duration was read")
	}
}
