package e2e

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
)

// join runs weftd agent on a host that has not joined, to its end, which is soon.
func (h *host) join(token string, flags ...string) outcome {
	return h.finish(h.s.weft.Command(h.Host, "weftd", append([]string{"agent", "--join", token}, flags...)...))
}

// TestRefusedToJoin: who has no good token does not get in, hears why on one line, and
// is in the server's log.
func TestRefusedToJoin(t *testing.T) {
	t.Parallel()
	s := hosts(t)
	s.a.startServer()
	s.c.startAgent(s.token())
	good := s.token("--name good")
	expired := s.token("--name expired --ttl 1s")
	revoked := s.token("--name revoked")
	s.a.weft("token rm revoked")
	s.awaitExpiry("expired")
	parts := strings.Split(good, ".") // weft1, name, secret, fingerprint, addresses
	with := func(i int, part string) string {
		changed := append([]string(nil), parts...)
		changed[i] = part
		return strings.Join(changed, ".")
	}
	for _, tt := range []struct {
		name, token, flags string
		says               string
		logged             string
	}{
		{"not a token", "open-sesame", "", "token", ""},
		{"wrong secret", with(2, strings.Repeat("A", len(parts[2]))), "", "token good", "token good"},
		{"unknown token", with(1, "nobody"), "", "token nobody", "token nobody"},
		{"another cluster's", with(3, strings.Repeat("A", len(parts[3]))), "", "not a server of this cluster", "bad certificate"},
		{"expired", expired, "", "token expired: the token has expired at", "token expired"},
		{"revoked", revoked, "", "token revoked", "token revoked"},
		{"another node's name", good, "--node c", "node c exists already", "node c exists already"},
		{"a token for another node", s.token("--name fora --node d"), "", "for node d", "for node d"},
		{"a token for people", s.token("--name anna --role reader"), "", "for a person", "for a person"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.b.join(tt.token, strings.Fields(tt.flags)...).refused(t, 1, "weftd: ", tt.says)
			s.a.logged(t, tt.logged)
		})
	}
	var nodes []overlay.Node
	s.a.read(&nodes, "node ls")
	if len(nodes) != 2 {
		t.Errorf("%d nodes, want a and c", len(nodes))
	}
	s.b.startAgent(good) // which is good
}

// awaitExpiry waits until a token has expired.
func (s *session) awaitExpiry(name string) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error {
		var tokens []overlay.Token
		s.a.read(&tokens, "token ls")
		for _, token := range tokens {
			if token.Name == name && token.Spec.Expires.After(time.Now()) {
				return errors.New(token.Spec.Expires.String())
			}
		}
		return nil
	}, "token "+name+" expires")
}

// logged fails the test unless the daemon has logged a refusal that says this.
func (h *host) logged(t *testing.T, words string) {
	t.Helper()
	text, err := h.daemon.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, words) && !strings.Contains(line, "made token") {
			return
		}
	}
	t.Errorf("nothing in the log about %q:\n%s", words, text)
}

// TestWhoMayWhat: a node's certificate writes what is the node's, a reader's nothing,
// and nobody reads without one.
func TestWhoMayWhat(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24")
	s.a.attach("blue")
	node := "--credentials " + filepath.Join(s.b.Dir(), "state", "node.json")
	reader := "--credentials " + filepath.Join(s.b.Dir(), "anna.json")
	s.b.weft("%s login %s", reader, s.token("--name anna --role reader"))
	for _, tt := range []struct {
		who, command string
		code         int
		says         string
	}{
		{node, "network create red --subnet 10.8.0.0/24", 3, "node b may not write network red"},
		{node, "network rm blue", 3, "node b may not"},
		{node, "delete endpoint blue/blue-a", 3, "node b may not"},
		{node, "node rm a --force", 3, "node b may not"},
		{node, "token create", 3, "node b may not"},
		{reader, "network create red --subnet 10.8.0.0/24", 3, "reader anna may not"},
		{reader, "network rm blue", 3, "reader anna may not"},
		{reader, "delete endpoint blue/blue-a", 3, "reader anna may not"},
		{reader, "token create", 3, "reader anna may not"},
		{reader, "token ls", 3, "reader anna may not"},
		{"--credentials /nowhere", "network ls", 3, "no credentials for the servers: there is no /nowhere"},
	} {
		t.Run(tt.command, func(t *testing.T) { s.b.try("%s %s", tt.who, tt.command).refused(t, tt.code, tt.says) })
	}
	for _, who := range []string{node, reader} {
		if out := s.b.weft("%s network ls", who); !strings.Contains(out, "blue") {
			t.Errorf("%s reads %q", who, out)
		}
	}
	s.a.weft("endpoint show blue/blue-a")
}

// TestNothingListensWithoutTLS: of the first host's TCP ports there is one, and it
// answers plain HTTP with a line that says what it speaks, and logs it.
func TestNothingListensWithoutTLS(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ss")
	s := begin(t)
	for h, want := range map[*host]string{s.a: "*:7411\n", s.b: ""} {
		var listening strings.Builder
		for line := range strings.Lines(testenv.Output(t, h.Path(), "ss", "-Hltn")) {
			listening.WriteString(strings.Fields(line)[3] + "\n")
		}
		if got := listening.String(); got != want {
			t.Errorf("host %s listens on %q, want %q", h.Name(), got, want)
		}
	}
	var conn net.Conn
	err := s.b.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", "192.0.2.11:7411", patience)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/node HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 400 ") || !strings.Contains(string(answer), "HTTPS") {
		t.Errorf("%q, %v", answer, err)
	}
	s.a.logged(t, "192.0.2.12")
}
