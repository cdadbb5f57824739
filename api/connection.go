package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weft/api/identity"
)

const (
	// dialPatience is how long a server may take to accept a connection
	// before the next one is tried.
	dialPatience = 5 * time.Second
	// pingAfter and pingPatience find connections whose other end has gone.
	pingAfter    = 10 * time.Second
	pingPatience = 5 * time.Second
)

// connection speaks to one server of several.
type connection struct {
	servers []string
	config  *tls.Config
	holder  *identity.Holder // nil without a certificate
	// dial connects [TCP].
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	lock sync.Mutex
	// now is the server in use.
	now int
	// transport makes connections with cert. A new certificate gets a new
	// transport, because connections live on with the one they were made with.
	transport *http.Transport
	cert      *tls.Certificate
}

// Close closes the connections that nobody uses.
func (c *connection) Close() {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.transport != nil {
		c.transport.CloseIdleConnections()
		c.transport = nil
	}
}

// via is the transport for the certificate of now.
func (c *connection) via() *http.Transport {
	c.lock.Lock()
	defer c.lock.Unlock()
	var cert *tls.Certificate
	if c.holder != nil {
		cert = c.holder.Current()
	}
	if c.transport != nil && c.cert == cert {
		return c.transport
	}
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	dial := c.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialPatience}).DialContext
	}
	c.cert = cert
	c.transport = &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     c.config,
		TLSHandshakeTimeout: dialPatience,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingPatience},
		IdleConnTimeout:     deadAfter,
	}
	return c.transport
}

// call asks a server and decodes its answer into reply, unless that is nil. It
// returns the answer's header.
func (c *connection) call(ctx context.Context, method, path string, q url.Values, body, reply any) (http.Header, error) {
	r, err := c.ask(ctx, method, path, q, body)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if err := ReadReply(r, reply); err != nil {
		return nil, c.unread(ctx, r, err)
	}
	return r.Header, nil
}

// unread makes of a reply that broke off what it is: nobody knows what became of
// the request.
func (c *connection) unread(ctx context.Context, r *http.Response, err error) error {
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return unavailable("%s broke off: %v", r.Request.URL.Host, err)
}

// ask sends a request to the server in use, or to the next one as long as it
// cannot be reached, and returns the reply. What may have been done already is
// not asked again.
func (c *connection) ask(ctx context.Context, method, path string, q url.Values, body any) (*http.Response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	c.lock.Lock()
	first := c.now
	c.lock.Unlock()
	var failures []error
	for i := range c.servers {
		n := (first + i) % len(c.servers)
		r, sent, err := c.try(ctx, method, c.servers[n]+path, q, text)
		if err == nil && r.StatusCode != http.StatusServiceUnavailable {
			c.use(n)
			return r, nil
		}
		c.use((n + 1) % len(c.servers))
		last := i == len(c.servers)-1 || sent && method != http.MethodGet
		switch {
		case ctx.Err() != nil && err != nil:
			return nil, ctx.Err()
		case err == nil && last:
			return r, nil
		}
		failures = append(failures, failure(c.servers[n], r, err))
		if last {
			break
		}
	}
	return nil, noServer(failures)
}

// failure is why a server was given up: its refusal, or what became of the
// connection.
func failure(server string, r *http.Response, err error) error {
	if err == nil {
		defer r.Body.Close()
		return readError(r)
	}
	if isForeign(err) {
		return Forbidden("are these the right credentials or token for it?", "%s is not a server of this cluster: %v", server, cause(err))
	}
	return fmt.Errorf("%s: %w", server, cause(err))
}

// noServer puts together why none was left. Servers that are somebody else's are
// a reason of their own only if there are no others.
func noServer(failures []error) error {
	var words []string
	foreign := 0
	for _, err := range failures {
		words = append(words, err.Error())
		var refused *Error
		if errors.As(err, &refused) && refused.Code == CodeForbidden {
			foreign++
		}
	}
	if foreign > 0 && foreign == len(failures) {
		return failures[0]
	}
	return unavailable("no server answers: %s", strings.Join(words, "; "))
}

// try sends a request to one server; sent reports whether it may have got it.
func (c *connection) try(ctx context.Context, method, address string, q url.Values, text []byte) (r *http.Response, sent bool, err error) {
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	var body io.Reader
	if text != nil {
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, address, body)
	if err != nil {
		return nil, false, fmt.Errorf("make request: %w", err)
	}
	if text != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	r, err = c.via().RoundTrip(request)
	return r, connected.Load(), err
}

func (c *connection) use(n int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.now = n
}

// isForeign tells a server that proves to be somebody else from one that does
// not answer.
func isForeign(err error) bool {
	var unverified *tls.CertificateVerificationError
	return errors.As(err, &unverified) || errors.Is(err, identity.ErrPin)
}

// cause leaves out what net/http says around an error.
func cause(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

func unavailable(format string, args ...any) *Error {
	return &Error{Code: CodeUnavailable, Message: fmt.Sprintf(format, args...)}
}

// Server is the server in use, or the one to be tried next.
func (c *connection) Server() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.servers[c.now%len(c.servers)]
}
