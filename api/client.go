package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// Client is the store that servers serve, and the rest of what they do. With
// several servers it stays with one that answers, and goes on to the next when
// that one cannot be reached. It is safe for use by several goroutines.
type Client struct {
	// Silence is after how long a watch without a word counts as broken [30 s].
	Silence time.Duration

	connection
	credentials identity.Credentials
	holder      *identity.Holder

	mu sync.Mutex
	// unknown are the resources of which something was not understood.
	unknown map[overlay.Key]string
}

var (
	_ store.Store    = (*Client)(nil)
	_ store.Recovery = (*Client)(nil)
)

// NewClient returns a client that is whom the credentials say. It connects when
// there is something to ask.
func NewClient(c identity.Credentials) (*Client, error) {
	pair, err := c.KeyPair()
	if err != nil {
		return nil, err
	}
	if len(c.Servers) == 0 {
		return nil, Invalid("join or log in again", "the credentials name no server")
	}
	holder := identity.NewHolder(pair)
	config, err := identity.ClientConfig([]byte(c.CA), holder)
	if err != nil {
		return nil, err
	}
	return &Client{
		Silence:     deadAfter,
		connection:  connection{servers: c.Servers, config: config, holder: holder},
		credentials: c,
		holder:      holder,
		unknown:     map[overlay.Key]string{},
	}, nil
}

// Update implements store.Store. An endpoint to be made may be without a name;
// the server chooses one then.
func (c *Client) Update(ctx context.Context, change store.Change) (overlay.Resource, overlay.Revision, error) {
	k := change.Delete
	if change.Put != nil {
		k = change.Put.Key()
	}
	unnamed := change.Put != nil && k.Kind == overlay.KindEndpoint && k.Name == "" && change.Expect == store.Absent
	if err := checkKey(k); err != nil && !unnamed {
		return nil, overlay.Revision{}, err
	}
	if change.Put == nil {
		at, err := c.remove(ctx, change.Delete, url.Values{"expect": {formatExpect(change.Expect)}})
		return nil, at, err
	}
	if err := c.mayWrite(k, change.Status); err != nil {
		return nil, overlay.Revision{}, err
	}
	q := url.Values{"expect": {formatExpect(change.Expect)}}
	if change.Status {
		q.Set("status", "1")
	}
	method, path := http.MethodPut, pathOf(k)
	if unnamed {
		method, path, q = http.MethodPost, "/v1/endpoint/"+url.PathEscape(string(k.Network)), nil
	}
	var raw json.RawMessage
	header, err := c.call(ctx, method, path, q, change.Put, &raw)
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	r, _, err := decodeResource(raw)
	if err != nil {
		return nil, overlay.Revision{}, err
	}
	at, err := parseRevision(header.Get(revisionHeader))
	return r, at, err
}

// Remove deletes a resource. force removes a node with all its endpoints and
// blocks, for one that is gone for good.
func (c *Client) Remove(ctx context.Context, k overlay.Key, force bool) error {
	q := url.Values{}
	if force {
		q.Set("force", "1")
	}
	_, err := c.remove(ctx, k, q)
	return err
}

func (c *Client) remove(ctx context.Context, k overlay.Key, q url.Values) (overlay.Revision, error) {
	if err := checkKey(k); err != nil {
		return overlay.Revision{}, err
	}
	header, err := c.call(ctx, http.MethodDelete, pathOf(k), q, nil, nil)
	if err != nil {
		return overlay.Revision{}, err
	}
	return parseRevision(header.Get(revisionHeader))
}

// mayWrite reports why writing a resource back would lose something of it. A
// status is written alone.
func (c *Client) mayWrite(k overlay.Key, status bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	what, ok := c.unknown[k]
	if !ok || status {
		return nil
	}
	return Invalid("update Weft here", "%s has something that this version does not know, and would lose it: %s", k, what)
}

// Get returns a resource, or an error that is store.ErrNotFound.
func (c *Client) Get(ctx context.Context, k overlay.Key) (overlay.Resource, error) {
	if err := checkKey(k); err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if _, err := c.call(ctx, http.MethodGet, pathOf(k), nil, nil, &raw); err != nil {
		return nil, err
	}
	return c.take(raw)
}

// List returns the resources of a kind in order of their keys, limited to those
// of a network or node if these are not empty, and the revision they are of.
func (c *Client) List(ctx context.Context, kind overlay.Kind, network overlay.NetworkName, node overlay.NodeName) ([]overlay.Resource, overlay.Revision, error) {
	q := url.Values{}
	if network != "" {
		q.Set("network", string(network))
	}
	if node != "" {
		q.Set("node", string(node))
	}
	var list struct {
		Revision overlay.Revision
		Items    []json.RawMessage
	}
	if _, err := c.call(ctx, http.MethodGet, "/v1/"+strings.ToLower(string(kind)), q, nil, &list); err != nil {
		return nil, overlay.Revision{}, err
	}
	items := make([]overlay.Resource, 0, len(list.Items))
	for _, raw := range list.Items {
		r, err := c.take(raw)
		if err != nil {
			return nil, overlay.Revision{}, err
		}
		items = append(items, r)
	}
	return items, list.Revision, nil
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, r TokenRequest) (made NewToken, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/token", nil, r, &made)
	return made, err
}

// WhoAmI is whom the server takes the client for.
func (c *Client) WhoAmI(ctx context.Context) (who WhoAmI, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/whoami", nil, nil, &who)
	return who, err
}

// Status is how the server is that answers.
func (c *Client) Status(ctx context.Context) (status ServerStatus, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/status", nil, nil, &status)
	return status, err
}

// Standing is whether the store is relied upon.
func (c *Client) Standing(ctx context.Context) (now store.Standing, err error) {
	_, err = c.call(ctx, http.MethodGet, "/v1/store", nil, nil, &now)
	return now, err
}

// Recover decides what becomes of a store that was wiped or restored.
func (c *Client) Recover(ctx context.Context, r RecoverRequest) (now store.Standing, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/store/recover", nil, r, &now)
	return now, err
}

// Report implements store.Recovery.
func (c *Client) Report(ctx context.Context, r store.Report) (answer store.Answer, err error) {
	_, err = c.call(ctx, http.MethodPost, "/v1/store/report", nil, r, &answer)
	return answer, err
}

// Join gets credentials for a token's text. Nodes name themselves; people leave
// the node empty. The private key is made here and stays here.
func Join(ctx context.Context, text string, node overlay.NodeName) (identity.Credentials, error) {
	token, err := identity.ParseToken(text)
	if err != nil {
		return identity.Credentials{}, Invalid("", "%v", err)
	}
	csr, key, err := identity.NewRequest()
	if err != nil {
		return identity.Credentials{}, err
	}
	var servers []string
	for _, s := range token.Servers {
		servers = append(servers, "https://"+s)
	}
	c := connection{servers: servers, config: identity.JoinConfig(token.Pin)}
	defer c.Close()
	var cert Certificate
	request := JoinRequest{Token: token.String(), CSR: string(csr), Node: node}
	if _, err := c.call(ctx, http.MethodPost, "/v1/join", nil, request, &cert); err != nil {
		return identity.Credentials{}, fmt.Errorf("join: %w", err)
	}
	if err := identity.CheckPin([]byte(cert.CA), token.Pin); err != nil {
		return identity.Credentials{}, fmt.Errorf("join: %w", err)
	}
	got := identity.Credentials{Servers: servers, CA: cert.CA, Certificate: cert.Certificate, Key: string(key)}
	_, err = got.KeyPair()
	return got, err
}

// Rotate keeps the client's certificate fresh until ctx ends, and has save keep
// each new one, before it is used.
func (c *Client) Rotate(ctx context.Context, log *slog.Logger, save func(identity.Credentials) error) error {
	return identity.Rotate(ctx, c.holder, log, func(ctx context.Context) (*tls.Certificate, error) {
		fresh, err := c.Renew(ctx)
		if err != nil {
			return nil, err
		}
		if err := save(fresh); err != nil {
			return nil, fmt.Errorf("save credentials: %w", err)
		}
		return fresh.KeyPair()
	})
}

// Renew gets credentials with a new certificate for who the client is, for those
// who do not run long enough to Rotate. The client goes on with the old one.
func (c *Client) Renew(ctx context.Context) (identity.Credentials, error) {
	csr, key, err := identity.NewRequest()
	if err != nil {
		return identity.Credentials{}, err
	}
	var cert Certificate
	if _, err := c.call(ctx, http.MethodPost, "/v1/renew", nil, RenewRequest{CSR: string(csr)}, &cert); err != nil {
		return identity.Credentials{}, err
	}
	fresh := c.credentials
	fresh.Certificate, fresh.Key = cert.Certificate, string(key)
	return fresh, nil
}

// checkKey refuses keys that have no path, or another one's.
func checkKey(k overlay.Key) error {
	switch {
	case overlay.New(k.Kind) == nil:
		return Invalid("", "%s: kind %q is unknown", k, k.Kind)
	case k.Kind.Networked() == (k.Network == "") && !k.Kind.StandsAlone():
		return Invalid("", "%s: want a network with blocks and endpoints, and none with others", k)
	}
	if err := overlay.CheckName(strings.ToLower(string(k.Kind)), k.Name); err != nil {
		return Invalid("", "%v", err)
	}
	return nil
}

func pathOf(k overlay.Key) string {
	path := "/v1/" + strings.ToLower(string(k.Kind)) + "/"
	if k.Network != "" {
		path += url.PathEscape(string(k.Network)) + "/"
	}
	return path + url.PathEscape(k.Name)
}
