package agentapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"weft/api"
	"weft/dataplane"
	"weft/overlay"
)

// Client is the Service of the agent behind a socket.
type Client struct {
	socket string
	http   http.Client
}

var _ Service = (*Client)(nil)

// NewClient returns a client of the agent at the socket; it connects for each
// request anew.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{
		socket: socket,
		http:   http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
	}
}

// Attach implements Service.
func (c *Client) Attach(ctx context.Context, r AttachRequest) (made Attachment, err error) {
	return made, c.do(ctx, http.MethodPost, "attach", r, &made)
}

// Detach implements Service.
func (c *Client) Detach(ctx context.Context, r DetachRequest) error {
	return c.do(ctx, http.MethodPost, "detach", r, nil)
}

// Declare implements Service.
func (c *Client) Declare(ctx context.Context, d Declaration) error {
	return c.do(ctx, http.MethodPost, "declare", d, nil)
}

// Declared implements Service.
func (c *Client) Declared(ctx context.Context) (d Declared, err error) {
	err = c.do(ctx, http.MethodGet, "declared", nil, &d)
	return d, err
}

// Stop implements Service.
func (c *Client) Stop(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "stop", Done{}, nil)
}

// Status implements Service.
func (c *Client) Status(ctx context.Context) (report NodeReport, err error) {
	err = c.do(ctx, http.MethodGet, "status", nil, &report)
	return report, err
}

// View implements Service.
func (c *Client) View(ctx context.Context, network overlay.NetworkName) (view dataplane.NetworkView, err error) {
	err = c.do(ctx, http.MethodGet, of("view", network), nil, &view)
	return view, err
}

// Plan implements Service.
func (c *Client) Plan(ctx context.Context) (ops []string, err error) {
	err = c.do(ctx, http.MethodGet, "plan", nil, &ops)
	return ops, err
}

// Explain implements Service.
func (c *Client) Explain(ctx context.Context, network overlay.NetworkName) (commands []string, err error) {
	err = c.do(ctx, http.MethodGet, of("explain", network), nil, &commands)
	return commands, err
}

// Endpoints implements Service.
func (c *Client) Endpoints(ctx context.Context, network overlay.NetworkName) (all []*overlay.Endpoint, err error) {
	err = c.do(ctx, http.MethodGet, of("endpoints", network), nil, &all)
	return all, err
}

// Dropped implements Service.
func (c *Client) Dropped(ctx context.Context, r DroppedRequest) (dropped dataplane.Dropped, err error) {
	query := url.Values{"after": {strconv.FormatUint(r.After, 10)}}
	if r.Network != "" {
		query.Set("network", string(r.Network))
	}
	err = c.do(ctx, http.MethodGet, "dropped?"+query.Encode(), nil, &dropped)
	return dropped, err
}

func of(path string, network overlay.NetworkName) string {
	if network == "" {
		return path
	}
	return path + "?network=" + url.QueryEscape(string(network))
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://agent/v1/"+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer reply.Body.Close()
	return api.ReadReply(reply, out)
}

// unreachable says why there was no answer, and what to do.
func (c *Client) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask agent: %w", ctx.Err())
	case errors.Is(err, fs.ErrPermission):
		return api.Forbidden("run it as root", "ask agent at %s: permission denied", c.socket)
	case errors.Is(err, fs.ErrNotExist):
		return &api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("ask agent: no agent runs here (there is no %s)", c.socket), Hint: "start weftd, or name its run directory with --run-dir"}
	}
	return &api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("ask agent at %s: %v", c.socket, errors.Unwrap(err)), Hint: "is weftd running?"}
}
