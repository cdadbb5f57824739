package identity

import (
	"errors"
	"strings"
	"testing"
	"time"

	"weft/overlay"
)

func newToken(t *testing.T) Token {
	t.Helper()
	secret, err := NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	return Token{Name: "t1", Secret: secret, Pin: Pin{1, 2, 3}, Servers: []string{"192.0.2.1:7411", "[2001:db8::1]:7411", "weft.example.net:443"}}
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	want := newToken(t)
	got, err := ParseToken(" " + want.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || got.Secret != want.Secret || got.Pin != want.Pin || len(got.Servers) != 3 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	good := newToken(t).String()
	parts := strings.SplitN(good, ".", 5)
	with := func(i int, s string) string {
		p := append([]string(nil), parts...)
		p[i] = s
		return strings.Join(p, ".")
	}
	for _, c := range []struct{ text, want string }{
		{"", "does not begin with"},
		{"weft2.x", "does not begin with"},
		{"weft1", "ends after 1 of 5 parts"},
		{strings.Join(parts[:4], "."), "ends after 4 of 5 parts"},
		{with(1, ""), "the name is missing"},
		{with(1, "A_b"), "lower-case"},
		{with(2, ""), "the secret is damaged: it has 0 characters, not 22"},
		{with(2, parts[2][:21]+"!"), "the secret is damaged: it is not base64url"},
		{with(2, parts[2][:20]+"\r\n"), "the secret is damaged: it is broken over lines"},
		{with(3, parts[3][1:]), "fingerprint is damaged: it has 42 characters, not 43"},
		{with(3, strings.Repeat("_", 43)), "not base64url"}, // bits beyond the last octet
		{with(4, ""), "want host:port"},
		{with(4, "192.0.2.1"), "want host:port"},
		{with(4, ":7411"), "want host:port"},
		{with(4, "a b:7411"), "want host:port"},
		{with(4, "h:0"), "port from 1 to 65535"},
		{with(4, "h:65536"), "port from 1 to 65535"},
		{with(4, "h:1,,h:2"), "want host:port"},
	} {
		_, err := ParseToken(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseToken(%q): %v, want %q", c.text, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), parts[2]) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ParseToken(%q): the error shows the secret, or has several lines: %v", c.text, err)
		}
	}
}

func TestTokenIsNotLogged(t *testing.T) {
	t.Parallel()
	tok := newToken(t)
	parts := strings.SplitN(tok.String(), ".", 5)
	if v := tok.LogValue().String(); strings.Contains(v, parts[2]) || !strings.Contains(v, tok.Name) {
		t.Errorf("logged as %q", v)
	}
}

func TestSecretCheck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tok := newToken(t)
	record := &overlay.Token{Spec: overlay.TokenSpec{Role: overlay.RoleNode, Hash: tok.Secret.Hash(), Expires: now}}
	for _, c := range []struct {
		name   string
		secret Secret
		now    time.Time
		want   error
	}{
		{"good", tok.Secret, now.Add(-time.Nanosecond), nil},
		{"at its end", tok.Secret, now, ErrTokenExpired},
		{"expired", tok.Secret, now.Add(time.Hour), ErrTokenExpired},
		{"wrong", newToken(t).Secret, now.Add(-time.Hour), ErrToken},
		{"wrong and expired", newToken(t).Secret, now.Add(time.Hour), ErrToken},
		{"zero", Secret{}, now.Add(-time.Hour), ErrToken},
	} {
		if err := c.secret.Check(record, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("weft1.t1.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.192.0.2.1:7411,[2001:db8::1]:7411")
	f.Add("weft1....")
	f.Add("weft1.a.b.c.d")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			return
		}
		if got := tok.String(); got != strings.TrimSpace(s) {
			t.Errorf("ParseToken(%q).String() = %q", s, got)
		}
		if len(tok.Servers) == 0 || overlay.CheckName("token", tok.Name) != nil {
			t.Errorf("ParseToken(%q) = %v", s, tok)
		}
	})
}
