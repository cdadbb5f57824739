package identity

import (
	"crypto/tls"
	"errors"
	"sync/atomic"
)

// Holder holds the certificate that connections are made or accepted with. It
// can be replaced at any time; connections that exist keep theirs. It is safe
// for use by several goroutines.
type Holder struct {
	current atomic.Pointer[tls.Certificate]
}

// NewHolder returns a holder of cert.
func NewHolder(cert *tls.Certificate) *Holder {
	h := &Holder{}
	h.current.Store(cert)
	return h
}

// Current is the certificate now. It differs by == after a replacement.
func (h *Holder) Current() *tls.Certificate { return h.current.Load() }

// Replace makes new connections use cert.
func (h *Holder) Replace(cert *tls.Certificate) { h.current.Store(cert) }

func (h *Holder) forServer(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := h.Current(); cert != nil {
		return cert, nil
	}
	return nil, errors.New("the server has no certificate yet")
}

// forClient returns an empty certificate for none, as tls wants.
func (h *Holder) forClient(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if cert := h.Current(); cert != nil {
		return cert, nil
	}
	return &tls.Certificate{}, nil
}
