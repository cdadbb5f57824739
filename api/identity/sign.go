package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"

	"weft/overlay"
)

// DefaultLifetime is how long a certificate lives.
const DefaultLifetime = 30 * 24 * time.Hour

// backdate is by how much a certificate is good before it is issued, for hosts
// whose clocks are late.
const backdate = 10 * time.Minute

// NewRequest makes a key (ECDSA P-256) and a request for a certificate to it.
// The server decides what the certificate says, so the request says nothing.
func NewRequest() (csr, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate request: %w", err)
	}
	if key, err = encodeKey(private); err != nil {
		return nil, nil, err
	}
	return encodePEM(pemRequest, der), key, nil
}

// Sign issues a client certificate for the request's key and the given identity;
// it takes nothing but the key from the request. An identity without an instance
// gets a new one.
func (c *CA) Sign(csr []byte, who Identity) ([]byte, error) {
	der, err := decodePEM(pemRequest, csr)
	if err != nil {
		return nil, fmt.Errorf("read certificate request: %w", err)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("read certificate request: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("check certificate request: %w", err)
	}
	if err := checkKey(request.PublicKey); err != nil {
		return nil, err
	}
	if err := who.check(); err != nil {
		return nil, err
	}
	if who.Role == overlay.RoleServer {
		return nil, errors.New("sign certificate request: a server issues its own certificate")
	}
	if who.Instance == "" {
		who.Instance = rand.Text()
	}
	template, err := c.template(who.subject(), x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, err
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, c.cert, request.PublicKey, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", who, err)
	}
	return encodePEM(pemCertificate, signed), nil
}

// checkKey refuses what is weak or slow to verify.
func checkKey(public any) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return errors.New("check certificate request: want a key of type ECDSA P-256, P-384 or Ed25519")
}

func (c *CA) template(subject pkix.Name, usage x509.ExtKeyUsage) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := c.Now()
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(c.Lifetime),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{usage},
	}, nil
}

// ServerName is a name that every server's certificate has, and that every
// client of Weft's asks for: whichever of a server's addresses it was reached
// by, through whatever translation, it proves that it is one of the cluster's.
const ServerName = "server.weft.internal"

// ServerCertificate issues a server's own certificate, with a new key. The names
// are addresses and DNS names by which others, such as curl, reach it.
func (c *CA) ServerCertificate(names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	server := Identity{Name: "server", Role: overlay.RoleServer}
	template, err := c.template(server.subject(), x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, err
	}
	template.DNSNames = []string{ServerName}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	if err != nil {
		return nil, fmt.Errorf("sign server certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse server certificate: %w", err)
	}
	// The CA comes along for those who know only its fingerprint.
	return &tls.Certificate{Certificate: [][]byte{der, c.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
