package api

import (
	"net/http/httptest"
	"testing"
)

// TestDoing: a refusal speaks of what people know, not of methods and paths.
func TestDoing(t *testing.T) {
	t.Parallel()
	for request, want := range map[[2]string]string{
		{"GET", "/v1/token"}:             "read tokens",
		{"POST", "/v1/token"}:            "write tokens",
		{"PUT", "/v1/network/blue"}:      "write network blue",
		{"DELETE", "/v1/endpoint/b/web"}: "delete endpoint b/web",
		{"POST", "/v1/endpoint/blue"}:    "write endpoints in network blue",
		{"POST", "/v1/store/recover"}:    "recover the store",
		{"PUT", "/v1/tunnel/neta"}:       "write tunnel neta",
		{"POST", "/v1/store/report"}:     "report the store",
	} {
		if got := doing(httptest.NewRequest(request[0], request[1], nil)); got != want {
			t.Errorf("%v: %q, want %q", request, got, want)
		}
	}
}
