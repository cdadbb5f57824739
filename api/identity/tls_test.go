package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
)

// shake does a handshake and returns what the client says about it, and what
// the server knows of the client.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	sc, cc := net.Pipe()
	defer sc.Close()
	defer cc.Close()
	s := tls.Server(sc, server)
	done := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte{1}) // a TLS 1.3 client has finished before the server has
		}
		sc.Close()
		done <- err
	}()
	c := tls.Client(cc, client)
	_, err := c.Read(make([]byte, 1))
	cc.Close()
	<-done
	return s.ConnectionState(), err
}

func serverHolder(t *testing.T, ca *CA) *Holder {
	t.Helper()
	cert, err := ca.ServerCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewHolder(cert)
}

func TestClientConfig(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	h := serverHolder(t, ca)
	credentials := sign(t, ca, nodeA)
	pair, err := credentials.KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	mine := NewHolder(pair)
	client, err := ClientConfig([]byte(credentials.CA), mine)
	if err != nil {
		t.Fatal(err)
	}
	see := func() *x509.Certificate {
		state, err := shake(t, ServerConfig(h), client)
		if err != nil || len(state.PeerCertificates) == 0 {
			t.Fatalf("%v, %d certificates", err, len(state.PeerCertificates))
		}
		return state.PeerCertificates[0]
	}
	if id, err := ca.Verify(see()); err != nil || id.Name != "a" {
		t.Errorf("the server sees %v, %v", id, err)
	}
	// Both sides use a replacement at once.
	fresh, err := sign(t, ca, nodeA).KeyPair()
	if err != nil {
		t.Fatal(err)
	}
	mine.Replace(fresh)
	h.Replace(serverHolder(t, ca).Current())
	if got := see(); !got.Equal(fresh.Leaf) {
		t.Error("the client shows its old certificate")
	}

	var unknown x509.UnknownAuthorityError
	if _, err := shake(t, ServerConfig(serverHolder(t, newCA(t))), client); !errors.As(err, &unknown) {
		t.Errorf("server of another CA: %v", err)
	}
	// A node that poses as a server.
	if _, err := shake(t, ServerConfig(mine), client); err == nil {
		t.Error("a node's certificate is taken for a server's")
	}
	if anonymous, err := ClientConfig([]byte(credentials.CA), nil); err != nil {
		t.Error(err)
	} else if state, err := shake(t, ServerConfig(h), anonymous); err != nil || len(state.PeerCertificates) > 0 {
		t.Errorf("without a certificate: %v, %d certificates", err, len(state.PeerCertificates))
	}
}

func TestJoinConfig(t *testing.T) {
	t.Parallel()
	ca, other := newCA(t), newCA(t)
	if _, err := shake(t, ServerConfig(serverHolder(t, ca)), JoinConfig(ca.Pin())); err != nil {
		t.Error(err)
	}
	if _, err := shake(t, ServerConfig(serverHolder(t, other)), JoinConfig(ca.Pin())); !errors.Is(err, ErrPin) {
		t.Errorf("server of another CA: %v, want %v", err, ErrPin)
	}
	// Who has only the CA's certificate, which is public, is no server.
	forged := *serverHolder(t, other).Current()
	forged.Certificate = [][]byte{forged.Certificate[0], ca.cert.Raw}
	if _, err := shake(t, ServerConfig(NewHolder(&forged)), JoinConfig(ca.Pin())); err == nil {
		t.Error("a server that shows the right CA, but is not of it, is believed")
	}
	if err := CheckPin(ca.Certificate(), ca.Pin()); err != nil {
		t.Error(err)
	}
	if err := CheckPin(other.Certificate(), ca.Pin()); !errors.Is(err, ErrPin) {
		t.Errorf("CheckPin: %v", err)
	}
}
