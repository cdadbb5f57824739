package etcdstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// probeTime is how long a member may take to say what is wrong.
	probeTime = 2 * time.Second
	// objectTime is how long it may take to object to a certificate that it was shown.
	objectTime = 500 * time.Millisecond
)

// reason says why no member of the cluster answers, as each says when it is asked
// without etcd's client: that tries again and again, and in the end knows only that
// the time was over. It is nil when a member would talk to us.
func (o DialOptions) reason(ctx context.Context, config *tls.Config) error {
	var words []string
	for _, e := range o.Endpoints {
		_, host, _ := strings.Cut(e, "://")
		err := probe(ctx, host, config)
		if err == nil {
			return nil
		}
		words = append(words, fmt.Sprintf("%s %s", e, explain(err)))
	}
	return errors.New(strings.Join(words, "; "))
}

// probe connects to a member; config is nil for one without TLS.
func probe(ctx context.Context, host string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(objectTime)); err != nil {
		return err
	}
	if config == nil {
		return probePlain(conn)
	}
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	if config.ServerName, _, err = net.SplitHostPort(host); err != nil {
		return err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); errors.Is(err, io.EOF) {
		return errSecure
	} else if err != nil {
		return err
	}
	// In TLS 1.3 a server refuses the client's certificate only after the
	// client's handshake is done (RFC 8446 section 4.4.2.4). One that takes it
	// begins with its HTTP/2 settings, or waits for ours.
	_, err = secure.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

var (
	errPlain  = errors.New("does not speak plain HTTP: want https:// if it has TLS")
	errSecure = errors.New("does not speak TLS: want http:// if it has none")
)

// probePlain asks in plain HTTP, to which a server with TLS has no good answer.
func probePlain(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /version HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 1024))
	if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.0 200 ") {
		return errPlain
	}
	return err
}

// explain says what an error means to who runs the cluster.
func explain(err error) string {
	var (
		remote  *net.OpError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses the connection: nothing listens there"
	case errors.As(err, &unknown):
		return fmt.Sprintf("shows a certificate that the given CA did not issue: %v", unknown)
	case errors.As(err, &name):
		return fmt.Sprintf("shows a certificate for another name: %v", name)
	case errors.As(err, &plain):
		return errSecure.Error()
	case errors.As(err, &remote) && remote.Op == "remote error":
		return fmt.Sprintf("refuses this client's certificate: %v", remote.Err)
	}
	return err.Error()
}
