package agent

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// TestServeStops: a request that does not end by itself is told to, and does
// not keep the agent from stopping.
func TestServeStops(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	answered := make(chan int, 1)
	go func() {
		resp, err := client.Get("http://agent/")
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		answered <- resp.StatusCode
		resp.Body.Close()
	}()
	<-began
	stop()
	if got := <-answered; got != http.StatusServiceUnavailable {
		t.Errorf("answer %d, want %d", got, http.StatusServiceUnavailable)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * stopTime):
		t.Fatal("serve did not return")
	}
}
