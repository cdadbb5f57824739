package agentapi

import (
	"context"
	"log/slog"
	"net/http"

	"weft/api"
	"weft/overlay"
)

// Handler serves a Service.
func Handler(s Service, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/attach", body(log, s.Attach))
	mux.HandleFunc("POST /v1/detach", body(log, func(ctx context.Context, r DetachRequest) (struct{}, error) {
		return struct{}{}, s.Detach(ctx, r)
	}))
	mux.HandleFunc("GET /v1/status", query(log, func(ctx context.Context, _ overlay.NetworkName) (NodeReport, error) {
		return s.Status(ctx)
	}))
	mux.HandleFunc("GET /v1/plan", query(log, func(ctx context.Context, _ overlay.NetworkName) ([]string, error) {
		return s.Plan(ctx)
	}))
	mux.HandleFunc("GET /v1/view", query(log, s.View))
	mux.HandleFunc("GET /v1/explain", query(log, s.Explain))
	mux.HandleFunc("GET /v1/endpoints", query(log, s.Endpoints))
	return mux
}

// body answers requests that have one.
func body[In, Out any](log *slog.Logger, f func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := api.ReadJSON(w, r, &in); err != nil {
			answer(log, w, r, nil, err)
			return
		}
		out, err := f(r.Context(), in)
		answer(log, w, r, out, err)
	}
}

// query answers requests that name a network, or none.
func query[Out any](log *slog.Logger, f func(context.Context, overlay.NetworkName) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r.Context(), overlay.NetworkName(r.URL.Query().Get("network")))
		answer(log, w, r, out, err)
	}
}

func answer(log *slog.Logger, w http.ResponseWriter, r *http.Request, out any, err error) {
	if err != nil {
		log.Warn("refused", "request", r.Method+" "+r.URL.Path, "error", err)
		err = api.WriteError(w, err)
	} else {
		err = api.WriteJSON(w, out)
	}
	if err != nil {
		log.Debug("answer", "request", r.Method+" "+r.URL.Path, "error", err)
	}
}
