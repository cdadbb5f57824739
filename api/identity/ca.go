package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

var (
	// ErrForeign: the certificate is not of this CA.
	ErrForeign = errors.New("the certificate is not from this cluster's CA")
	// ErrExpired: the certificate's time is over.
	ErrExpired = errors.New("the certificate has expired")
)

// CA is the cluster's certificate authority, an ECDSA P-256 key. It is safe for
// use by several goroutines.
type CA struct {
	// Now is the clock [time.Now].
	Now func() time.Time
	// Lifetime is how long the certificates live that it issues [30 days].
	Lifetime time.Duration

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// noExpiry is RFC 5280's date for certificates that have no well-defined end
// (section 4.1.2.5). Tokens and nodes pin the CA, and nothing replaces it by
// itself, so an end would be a date on which every network stops changing. For
// the same reason it is good since 1970: the clock may be wrong at a first start.
var noExpiry = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// NewCA makes a CA with a new key.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "weft CA"},
		NotBefore:             time.Unix(0, 0),
		NotAfter:              noExpiry,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true, // it signs leaves only
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA certificate: %w", err)
	}
	return assemble(der, key)
}

func assemble(der []byte, key *ecdsa.PrivateKey) (*CA, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse CA certificate: %w", err)
	}
	if !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("parse CA: the key is not the certificate's, or that is no CA's")
	}
	return &CA{Now: time.Now, Lifetime: DefaultLifetime, cert: cert, key: key}, nil
}

// newSerial is 127 random bits: positive, and at most 20 octets, as RFC 5280
// section 4.1.2.2 wants.
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return serial, nil
}

// Certificate is the CA's own certificate in PEM: what others trust.
func (c *CA) Certificate() []byte { return encodePEM(pemCertificate, c.cert.Raw) }

// Pin is the fingerprint of the CA's key.
func (c *CA) Pin() Pin { return pinOf(c.cert) }

// Verify returns whom a client's certificate speaks for, or ErrForeign or
// ErrExpired. Servers ask it for each request, so that a certificate which ends
// during a connection ends there.
func (c *CA) Verify(cert *x509.Certificate) (Identity, error) {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:       pool,
		CurrentTime: c.Now(),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Identity{}, fmt.Errorf("%w: it was good from %s to %s", ErrExpired, stamp(cert.NotBefore), stamp(cert.NotAfter))
	case err != nil:
		return Identity{}, fmt.Errorf("%w: %v", ErrForeign, err)
	}
	return Of(cert)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Pin is the SHA-256 of a CA's public key (its SubjectPublicKeyInfo, as in RFC
// 7469 section 2.4).
type Pin [sha256.Size]byte

func pinOf(cert *x509.Certificate) Pin { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// String is the form in tokens: unpadded base64url.
func (p Pin) String() string { return base64.RawURLEncoding.EncodeToString(p[:]) }

const (
	pemCertificate = "CERTIFICATE"
	pemRequest     = "CERTIFICATE REQUEST"
	pemKey         = "PRIVATE KEY"
)

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// decodePEM returns the first block of the kind.
func decodePEM(kind string, text []byte) ([]byte, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("no %s in PEM form", kind)
		}
		if block.Type == kind {
			return block.Bytes, nil
		}
		text = rest
	}
}

func encodeKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return encodePEM(pemKey, der), nil
}
