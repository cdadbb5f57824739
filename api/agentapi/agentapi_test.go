package agentapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/api"
	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// agent is a Service that answers with what it was asked, or refuses.
type agent struct {
	err     error
	request any
}

func (a *agent) Attach(_ context.Context, r AttachRequest) (Attachment, error) {
	a.request = r
	e := overlay.New(overlay.KindEndpoint).(*overlay.Endpoint)
	e.Network, e.Name, e.Spec.MAC, e.Spec.Addresses = r.Network, string(r.Name), r.MAC, r.Addresses
	return Attachment{Endpoint: e, Gateways: []netip.Addr{netip.MustParseAddr("10.7.0.1")}, MTU: 1450}, a.err
}

func (a *agent) Detach(_ context.Context, r DetachRequest) error { a.request = r; return a.err }

func (a *agent) Declare(_ context.Context, d Declaration) error { a.request = d; return a.err }

func (a *agent) Declared(context.Context) (Declared, error) {
	return Declared{Tunnels: []*overlay.Tunnel{{Meta: overlay.Meta{Name: "neta"}}}}, a.err
}

func (a *agent) Stop(context.Context) error { a.request = "stop"; return a.err }

func (a *agent) Status(context.Context) (NodeReport, error) {
	return NodeReport{Node: "a", Underlay: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}, a.err
}

func (a *agent) View(_ context.Context, n overlay.NetworkName) (dataplane.NetworkView, error) {
	a.request = n
	return dataplane.NetworkView{Wanted: 3}, a.err
}

func (a *agent) Plan(context.Context) ([]string, error) { return []string{"add link"}, a.err }

func (a *agent) Explain(_ context.Context, n overlay.NetworkName) ([]string, error) {
	a.request = n
	return []string{"ip link add"}, a.err
}

func (a *agent) Endpoints(_ context.Context, n overlay.NetworkName) ([]*overlay.Endpoint, error) {
	a.request = n
	return []*overlay.Endpoint{{Meta: overlay.Meta{Name: "web"}}}, a.err
}

func (a *agent) Dropped(_ context.Context, r DroppedRequest) (dataplane.Dropped, error) {
	a.request = r
	return dataplane.Dropped{Packets: []dataplane.DroppedPacket{{Reason: overlay.DropTTL, Frame: []byte{1, 2}}}, Last: 8}, a.err
}

// serve serves the agent on a socket of the test's own.
func serve(t *testing.T, a *agent) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft") // t.TempDir may be too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: Handler(a, slog.New(slog.DiscardHandler))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return Socket(dir)
}

func TestClient(t *testing.T) {
	t.Parallel()
	a := &agent{}
	c, ctx := NewClient(serve(t, a)), t.Context()
	want := AttachRequest{
		Network: "blue", Name: "web", Type: overlay.AttachNetns, Target: "/run/netns/web", Interface: "eth1",
		MAC: overlay.MAC{2, 0, 0, 0, 0, 1}, Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.5")}, Lifetime: overlay.Kept,
	}
	made, err := c.Attach(ctx, want)
	if err != nil || made.Endpoint.Name != "web" || made.Endpoint.Spec.MAC != want.MAC || len(made.Gateways) != 1 || made.MTU != 1450 {
		t.Errorf("Attach: %+v, %v", made, err)
	}
	if diff := cmp.Diff(want, a.request, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("attach request, want (-), got (+):\n%s", diff)
	}
	if err := c.Detach(ctx, DetachRequest{"blue", "web"}); err != nil || a.request != (DetachRequest{"blue", "web"}) {
		t.Errorf("Detach: %v, %v", a.request, err)
	}
	declared := Declaration{Underlay: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Tunnels: []*overlay.Tunnel{{Meta: overlay.Meta{Name: "neta"}}}}
	if err := c.Declare(ctx, declared); err != nil || !cmp.Equal(a.request, declared, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
		t.Errorf("Declare: %v, %v", a.request, err)
	}
	if d, err := c.Declared(ctx); err != nil || len(d.Tunnels) != 1 || d.Tunnels[0].Name != "neta" {
		t.Errorf("Declared: %v, %v", d, err)
	}
	if err := c.Stop(ctx); err != nil || a.request != "stop" {
		t.Errorf("Stop: %v, %v", a.request, err)
	}
	if r, err := c.Status(ctx); err != nil || r.Node != "a" || len(r.Underlay) != 1 {
		t.Errorf("Status: %+v, %v", r, err)
	}
	if v, err := c.View(ctx, "blue"); err != nil || v.Wanted != 3 || a.request != overlay.NetworkName("blue") {
		t.Errorf("View: %+v, %v", v, err)
	}
	if p, err := c.Plan(ctx); err != nil || len(p) != 1 {
		t.Errorf("Plan: %v, %v", p, err)
	}
	if x, err := c.Explain(ctx, "green"); err != nil || len(x) != 1 || a.request != overlay.NetworkName("green") {
		t.Errorf("Explain: %v, %v", x, err)
	}
	for _, want := range []DroppedRequest{{Network: "blue", After: 7}, {}} {
		d, err := c.Dropped(ctx, want)
		if err != nil || d.Last != 8 || len(d.Packets) != 1 || string(d.Packets[0].Frame) != "\x01\x02" || a.request != want {
			t.Errorf("Dropped: %+v, %v, asked for %+v", d, err, a.request)
		}
	}
	if all, err := c.Endpoints(ctx, ""); err != nil || len(all) != 1 || a.request != overlay.NetworkName("") {
		t.Errorf("Endpoints: %v, %v", all, err)
	}
}

func TestClientErrors(t *testing.T) {
	t.Parallel()
	claimed := &store.ClaimedError{
		Key:    overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "web"},
		Holder: overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "db"},
		Claim:  "address/blue/10.7.0.5",
	}
	c := NewClient(serve(t, &agent{err: claimed}))
	_, err := c.Attach(t.Context(), AttachRequest{})
	var got *store.ClaimedError
	if !errors.As(err, &got) || *got != *claimed {
		t.Errorf("got %#v, want %#v", err, claimed)
	}
	if want := "endpoint blue/web: address 10.7.0.5 is taken by endpoint blue/db; ask for another one, or for none to have one chosen"; err.Error() != want {
		t.Errorf("got %q\nwant %q", err, want)
	}
}

func TestNoAgent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := NewClient(Socket(dir)).Status(t.Context())
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "no agent runs here") {
		t.Errorf("no socket: %v", err)
	}
	// The file stays when an agent is killed.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, err = NewClient(filepath.Join(dir, "s")).Plan(t.Context())
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "is weftd running?") {
		t.Errorf("dead socket: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewClient(Socket(dir)).Plan(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// Requests that are not well formed never reach the agent.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	a := &agent{}
	c := NewClient(serve(t, a))
	for _, tt := range []struct{ body, want string }{
		{``, "it is empty"},
		{`{`, "unexpected EOF"},
		{`{"netwerk":"blue"}`, `unknown field "netwerk"`},
		{`{"mac":"02:00"}`, "want six octets"},
		{`{"addresses":["10.7.0.0/24"]}`, "10.7.0.0/24"},
		{`{} {}`, "something follows"},
		{`{"name":"` + strings.Repeat("x", 5<<20) + `"}`, "larger than"},
	} {
		reply, err := c.http.Post("http://agent/v1/attach", "application/json", io.NopCloser(strings.NewReader(tt.body)))
		if err != nil {
			t.Fatal(err)
		}
		err = api.ReadReply(reply, nil)
		reply.Body.Close()
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeInvalid || !strings.Contains(err.Error(), tt.want) || reply.StatusCode != http.StatusBadRequest {
			t.Errorf("%.30s: %v, want %q", tt.body, err, tt.want)
		}
	}
	if a.request != nil {
		t.Errorf("the agent was asked %v", a.request)
	}
}
