package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are files of a CA's own: its certificate, and what it issued to a
// server, which is a client too, and to a client. They are good for an hour.
type Certificates struct {
	CA             string
	Server, Client KeyPair
}

// KeyPair names the files of a certificate and of its key.
type KeyPair struct{ Cert, Key string }

// NewCertificates makes a CA, and certificates for a server at the address and
// for a client.
func NewCertificates(t testing.TB, server netip.Addr) *Certificates {
	t.Helper()
	dir := t.TempDir()
	ca := &authority{key: newKey(t)}
	ca.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c := &Certificates{CA: filepath.Join(dir, "ca.pem")}
	writePEM(t, c.CA, "CERTIFICATE", ca.sign(t, ca.cert, ca.key))
	c.Server = ca.issue(t, filepath.Join(dir, "server"), &x509.Certificate{
		IPAddresses: []net.IP{server.AsSlice()},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	c.Client = ca.issue(t, filepath.Join(dir, "client"), &x509.Certificate{
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return c
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue writes a certificate and its key to two files that begin with name.
func (a *authority) issue(t testing.TB, name string, template *x509.Certificate) KeyPair {
	t.Helper()
	key := newKey(t)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: filepath.Base(name)}
	template.NotBefore, template.NotAfter = a.cert.NotBefore, a.cert.NotAfter
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := KeyPair{Cert: name + ".pem", Key: name + ".key"}
	writePEM(t, p.Cert, "CERTIFICATE", a.sign(t, template, key))
	writePEM(t, p.Key, "PRIVATE KEY", private)
	return p
}

func (a *authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
