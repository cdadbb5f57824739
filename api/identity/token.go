package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"weft/overlay"
)

var (
	// ErrToken: no such token. A wrong secret and a revoked token look the
	// same, so that nobody finds out which names exist.
	ErrToken = errors.New("the token is wrong, or was revoked")
	// ErrTokenExpired: the secret is right, but its time is over.
	ErrTokenExpired = errors.New("the token has expired")
)

// Token is what somebody needs to join: it fits on one line of a shell.
type Token struct {
	// Name is the name of the server's record.
	Name   string
	Secret Secret
	// Pin is the fingerprint of the CA that servers have to prove.
	Pin Pin
	// Servers are their addresses, "host:port", at least one.
	Servers []string
}

// Secret is a token's random part.
type Secret [16]byte

// tokenVersion begins each token, so that one is known when seen, also by
// programs that look for leaked secrets.
const tokenVersion = "weft1"

// NewSecret returns 128 random bits.
func NewSecret() (Secret, error) {
	var s Secret
	if _, err := rand.Read(s[:]); err != nil {
		return Secret{}, fmt.Errorf("make token: %w", err)
	}
	return s, nil
}

// Hash is what servers keep of a secret. It needs no salt and no stretching:
// nobody guesses 128 random bits.
func (s Secret) Hash() string {
	sum := sha256.Sum256(s[:])
	return hex.EncodeToString(sum[:])
}

// Check reports whether the record is that of the secret and still good. It
// takes the same time whatever is wrong with the secret.
func (s Secret) Check(record *overlay.Token, now time.Time) error {
	if subtle.ConstantTimeCompare([]byte(s.Hash()), []byte(record.Spec.Hash)) != 1 {
		return ErrToken
	}
	if !now.Before(record.Spec.Expires) {
		return fmt.Errorf("%w at %s", ErrTokenExpired, stamp(record.Spec.Expires))
	}
	return nil
}

// String is the whole token with its secret:
// weft1.NAME.SECRET.FINGERPRINT.SERVER[,SERVER…], in unpadded base64url.
func (t Token) String() string {
	return strings.Join([]string{
		tokenVersion, t.Name,
		base64.RawURLEncoding.EncodeToString(t.Secret[:]), t.Pin.String(),
		strings.Join(t.Servers, ","),
	}, ".")
}

// LogValue keeps secrets out of logs.
func (t Token) LogValue() slog.Value { return slog.StringValue(tokenVersion + "." + t.Name + ".…") }

// ParseToken reads a token. Its errors do not repeat the secret.
func ParseToken(s string) (Token, error) {
	s = strings.TrimSpace(s)
	parts := strings.SplitN(s, ".", 5)
	if parts[0] != tokenVersion {
		return Token{}, fmt.Errorf("token: it does not begin with %q; copy the whole line that weft token create printed", tokenVersion+".")
	}
	if len(parts) != 5 {
		return Token{}, fmt.Errorf("token: it ends after %d of 5 parts; copy the whole line that weft token create printed", len(parts))
	}
	t := Token{Name: parts[1], Servers: strings.Split(parts[4], ",")}
	if err := overlay.CheckName("token", t.Name); err != nil {
		return Token{}, err
	}
	if err := decodeFixed(t.Secret[:], parts[2]); err != nil {
		return Token{}, fmt.Errorf("token %s: the secret is damaged: %w", t.Name, err)
	}
	if err := decodeFixed(t.Pin[:], parts[3]); err != nil {
		return Token{}, fmt.Errorf("token %s: the CA's fingerprint is damaged: %w", t.Name, err)
	}
	for _, server := range t.Servers {
		if err := CheckServer(server); err != nil {
			return Token{}, fmt.Errorf("token %s: %w", t.Name, err)
		}
	}
	return t, nil
}

// decodeFixed reads exactly len(into) bytes of unpadded base64url, in the one
// form that String writes.
func decodeFixed(into []byte, s string) error {
	want := base64.RawURLEncoding.EncodedLen(len(into))
	if len(s) != want {
		return fmt.Errorf("it has %d characters, not %d", len(s), want)
	}
	if strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return errors.New("it is broken over lines")
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(into, []byte(s)); err != nil {
		return errors.New("it is not base64url")
	}
	return nil
}

// CheckServer reports why s is no server's address, "host:port" or "[v6]:port".
func CheckServer(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || strings.ContainsAny(host, " /@\t\r\n,") {
		return fmt.Errorf("server %q: want host:port, such as 192.0.2.1:7411 or [2001:db8::1]:7411", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("server %q: want a port from 1 to 65535", s)
	}
	return nil
}
