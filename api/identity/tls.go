package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ServerConfig is the server's side: TLS 1.3 with the certificate held at the
// time. It asks clients for certificates and leaves the verification to
// CA.Verify, for each request: that way a refusal is an answer that people can
// read, and an open connection does not outlive its certificate.
func ServerConfig(h *Holder) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: h.forServer,
		ClientAuth:     tls.RequestClientCert,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// ClientConfig is a client's side: it trusts servers of the CA (PEM) alone, and
// shows the certificate held at the time. A nil holder shows none.
func ClientConfig(ca []byte, h *Holder) (*tls.Config, error) {
	der, err := decodePEM(pemCertificate, ca)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: ServerName}
	if h != nil {
		c.GetClientCertificate = h.forClient
	}
	return c, nil
}

// ErrPin: the server has not got the CA whose fingerprint the token holds.
var ErrPin = errors.New("the server is not the one that made this token: its CA has another fingerprint")

// JoinConfig is a client's side before it has the CA: it trusts servers whose CA
// has the fingerprint.
func JoinConfig(pin Pin) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: ServerName,
		// No root to verify against is known yet; VerifyConnection does the
		// whole verification, against the root that it knows by its fingerprint.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyPinned(state.PeerCertificates, pin, time.Now())
		},
	}
}

// verifyPinned verifies a chain (leaf first) against the CA in it that has the
// fingerprint.
func verifyPinned(chain []*x509.Certificate, pin Pin, now time.Time) error {
	roots := x509.NewCertPool()
	found := false
	for _, cert := range chain {
		if pinOf(cert) == pin && cert.IsCA {
			roots.AddCert(cert)
			found = true
		}
	}
	if !found {
		return ErrPin
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: ServerName, CurrentTime: now})
	return err
}

// CheckPin reports whether ca (PEM) is the CA with the fingerprint.
func CheckPin(ca []byte, pin Pin) error {
	der, err := decodePEM(pemCertificate, ca)
	if err != nil {
		return fmt.Errorf("read CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("read CA: %w", err)
	}
	if pinOf(cert) != pin {
		return ErrPin
	}
	return nil
}
