package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/overlay"
)

func newCA(t *testing.T) *CA {
	t.Helper()
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

var nodeA = Identity{Name: "a", Role: overlay.RoleNode}

// sign has the CA issue a certificate for a new key.
func sign(t *testing.T, ca *CA, who Identity) Credentials {
	t.Helper()
	csr, key, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Sign(csr, who)
	if err != nil {
		t.Fatal(err)
	}
	return Credentials{Servers: []string{"https://192.0.2.1:7411"}, CA: string(ca.Certificate()), Certificate: string(cert), Key: string(key)}
}

func leaf(t *testing.T, c Credentials) *x509.Certificate {
	t.Helper()
	pair, err := c.KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ca.Now = func() time.Time { return now }
	ca.Lifetime = time.Minute
	cert := leaf(t, sign(t, ca, nodeA))

	id, err := ca.Verify(cert)
	if err != nil {
		t.Fatal(err)
	}
	if id.Name != "a" || id.Role != overlay.RoleNode || id.Instance == "" || !id.Expires.Equal(now.Add(time.Minute)) {
		t.Errorf("identity %+v", id)
	}
	again, err := ca.Verify(leaf(t, sign(t, ca, id)))
	if err != nil || again.Instance != id.Instance {
		t.Errorf("renewed: instance %q, %v; want %q", again.Instance, err, id.Instance)
	}
	if next := leaf(t, sign(t, ca, nodeA)); next.SerialNumber.Cmp(cert.SerialNumber) == 0 || next.Subject.SerialNumber == id.Instance {
		t.Error("two certificates share a serial number or an instance")
	}
	other := newCA(t)
	other.Now = ca.Now
	if _, err := other.Verify(cert); !errors.Is(err, ErrForeign) {
		t.Errorf("certificate of another CA: %v", err)
	}
	now = now.Add(time.Minute + time.Second)
	if _, err := ca.Verify(cert); !errors.Is(err, ErrExpired) {
		t.Errorf("expired certificate: %v", err)
	}
}

// A server's certificate is no client's, nor the other way round.
func TestVerifyUsage(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	server, err := ca.ServerCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Verify(server.Leaf); !errors.Is(err, ErrForeign) {
		t.Errorf("server certificate as a client's: %v", err)
	}
	if err := verifyPinned([]*x509.Certificate{leaf(t, sign(t, ca, nodeA)), ca.cert}, ca.Pin(), time.Now()); err == nil {
		t.Error("a node's certificate is taken for a server's")
	}
}

func TestServerCertificateNames(t *testing.T) {
	t.Parallel()
	server, err := newCA(t).ServerCertificate([]string{"192.0.2.1", "2001:db8::1", "weft.example.net"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ServerName, "192.0.2.1", "2001:db8::1", "weft.example.net"} {
		if err := server.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

func TestSignRefusals(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	good, _, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	der, _ := decodePEM(pemRequest, good)
	der[len(der)-1] ^= 1
	broken := encodePEM(pemRequest, der)
	for _, c := range []struct {
		name string
		csr  []byte
		who  Identity
		want string
	}{
		{"no PEM", []byte("hello"), nodeA, "no CERTIFICATE REQUEST"},
		{"a certificate", ca.Certificate(), nodeA, "no CERTIFICATE REQUEST"},
		{"not a request", encodePEM(pemRequest, []byte{1, 2}), nodeA, "read certificate request"},
		{"wrong signature", broken, nodeA, "certificate request"},
		{"RSA", rsaRequest(t), nodeA, "want a key of type ECDSA"},
		{"no name", good, Identity{Role: overlay.RoleNode}, "the name is missing"},
		{"unknown role", good, Identity{Name: "a", Role: "root"}, `role "root"`},
		{"server", good, Identity{Name: "a", Role: overlay.RoleServer}, "a server issues its own"},
	} {
		if _, err := ca.Sign(c.csr, c.who); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func rsaRequest(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM(pemRequest, der)
}

// What a request asks for beside a certificate for its key is not granted.
func TestSignIgnoresWishes(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	_, keyPEM, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	keyDER, _ := decodePEM(pemKey, keyPEM)
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "root", OrganizationalUnit: []string{"admin"}},
		DNSNames: []string{ServerName},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ca.Sign(encodePEM(pemRequest, der), nodeA)
	if err != nil {
		t.Fatal(err)
	}
	certDER, _ := decodePEM(pemCertificate, signed)
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := ca.Verify(cert); err != nil || id.String() != "node a" || len(cert.DNSNames) > 0 {
		t.Errorf("identity %v, names %v, %v", id, cert.DNSNames, err)
	}
}

// vault is an in-memory Vault.
type vault struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (v *vault) Keep(_ context.Context, name string, value []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil {
		v.kept = map[string][]byte{}
	}
	if v.kept[name] == nil {
		v.kept[name] = value
	}
	return v.kept[name], nil
}

func open(t *testing.T, file string, v Vault) *CA {
	t.Helper()
	ca, err := OpenCA(t.Context(), file, v)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestOpenCA(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), "deep", "ca.pem"), filepath.Join(t.TempDir(), "ca.pem")
	store := &vault{}
	pin := open(t, first, store).Pin()
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the sealed key has mode %v, %v; want 0600", info.Mode(), err)
	}
	if open(t, first, store).Pin() != pin {
		t.Error("a restart changed the CA")
	}
	if open(t, second, store).Pin() != pin {
		t.Error("a second server has another CA")
	}
	if wiped := (&vault{}); open(t, first, wiped).Pin() != pin || open(t, second, wiped).Pin() != pin {
		t.Error("a wiped store changed the CA")
	}
	if open(t, first, nil).Pin() != pin {
		t.Error("without a vault, the file does not count")
	}
}

func TestOpenCARefusals(t *testing.T) {
	t.Parallel()
	file, other := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "ca.pem")
	open(t, file, nil)
	foreign := &vault{}
	open(t, other, foreign)
	if _, err := OpenCA(t.Context(), file, foreign); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("foreign store: %v", err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(t.Context(), file, nil); err == nil || !strings.Contains(err.Error(), "others than its owner may read it") {
		t.Errorf("readable key: %v", err)
	}
	if err := os.WriteFile(other, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(t.Context(), other, nil); err == nil || !strings.Contains(err.Error(), "no CERTIFICATE") {
		t.Errorf("damaged key: %v", err)
	}
}

func TestCredentialsRoundTrip(t *testing.T) {
	t.Parallel()
	want := sign(t, newCA(t), nodeA)
	file := filepath.Join(t.TempDir(), "state", "node.json")
	if err := want.Save(file); err != nil {
		t.Fatal(err)
	}
	got, err := LoadCredentials(file)
	if err != nil || got.Certificate != want.Certificate || got.Key != want.Key || got.CA != want.CA || got.Servers[0] != want.Servers[0] {
		t.Errorf("got %+v, %v", got, err)
	}
	if id, err := got.Identity(); err != nil || id.String() != "node a" {
		t.Errorf("identity %v, %v", id, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "another form": "{}", "cut off": string(good[:len(good)/2]), "zeros": "\x00\x00\x00",
		"no server":           strings.Replace(string(good), `"servers"`, `"sarvers"`, 1),
		"a letter in the CA":  strings.Replace(string(good), "BEGIN CERT", "BEGIN CART", 1),
		"a letter in the key": strings.Replace(string(good), "PRIVATE KEY", "PRIVATE KAY", 1),
		"not the key's": strings.Replace(string(good), strings.Split(want.Key, "\n")[1],
			strings.Split(sign(t, newCA(t), nodeA).Key, "\n")[1], 1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadCredentials(file); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %v, and the file", name, err, ErrDamaged)
		}
	}
}

func TestIdentityString(t *testing.T) {
	t.Parallel()
	for want, id := range map[string]Identity{"node a": nodeA, "nobody": {}} {
		if got := id.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
