package agentapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strconv"

	"weft/api"
	"weft/dataplane"
	"weft/overlay"
)

// Handler serves a Service.
func Handler(s Service, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes(s, log) {
		mux.HandleFunc(r.method+" "+r.path, r.serve)
	}
	return mux
}

// route is one method of one path; body and reply are of the types that go in
// and out, for the document.
type route struct {
	method, path, id, summary string
	// network says what ?network=NAME does; empty: it is not read.
	network string
	// after says what ?after=NUMBER does; empty: it is not read.
	after       string
	body, reply any
	serve       http.HandlerFunc
}

func routes(s Service, log *slog.Logger) []route {
	detach := func(ctx context.Context, r DetachRequest) (Done, error) { return Done{}, s.Detach(ctx, r) }
	declare := func(ctx context.Context, d Declaration) (Done, error) { return Done{}, s.Declare(ctx, d) }
	stop := func(ctx context.Context, _ Done) (Done, error) { return Done{}, s.Stop(ctx) }
	isDeclared := func(ctx context.Context, _ overlay.NetworkName) (Declared, error) { return s.Declared(ctx) }
	status := func(ctx context.Context, _ overlay.NetworkName) (NodeReport, error) { return s.Status(ctx) }
	plan := func(ctx context.Context, _ overlay.NetworkName) ([]string, error) { return s.Plan(ctx) }
	const network, all = "the network", "the network; without it, all of this node's"
	return []route{
		{http.MethodPost, "/v1/attach", "attach", "Make an endpoint, and answer when it works on this host; again, it changes nothing", "", "",
			AttachRequest{}, Attachment{}, body(log, s.Attach)},
		{http.MethodPost, "/v1/detach", "detach", "Remove an endpoint of this node, and answer when it is gone from this host", "", "",
			DetachRequest{}, Done{}, body(log, detach)},
		{http.MethodPost, "/v1/declare", "declare", "Make a host that follows no server be what is declared, and answer when it is", "", "",
			Declaration{}, Done{}, body(log, declare)},
		{http.MethodGet, "/v1/declared", "declared", "What a host that follows no server is declared to be, complete, and with its node", "", "",
			nil, Declared{}, query(log, isDeclared)},
		{http.MethodPost, "/v1/stop", "stop", "End the agent of a host that follows no server; from then on it is declared to be nothing", "", "",
			Done{}, Done{}, body(log, stop)},
		{http.MethodGet, "/v1/status", "status", "How far this node is from what is wanted", "", "", nil, NodeReport{}, query(log, status)},
		{http.MethodGet, "/v1/plan", "plan", "The operations that would make this host match now", "", "", nil, []string{}, query(log, plan)},
		{http.MethodGet, "/v1/view", "view", "One network as this host has it", network, "", nil, dataplane.NetworkView{}, query(log, s.View)},
		{http.MethodGet, "/v1/explain", "explain", "The commands that would build it by hand", all, "", nil, []string{}, query(log, s.Explain)},
		{http.MethodGet, "/v1/endpoints", "endpoints", "This node's endpoints", all, "", nil, []*overlay.Endpoint{}, query(log, s.Endpoints)},
		{http.MethodGet, "/v1/dropped", "dropped", "Packets that programs of this node have dropped, how each began and why; so many of each reason are shown", all,
			"the number of the last packet that is known already: the answer waits a while for those after it; without it, all that are remembered", nil,
			dataplane.Dropped{}, dropped(log, s)},
	}
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

// dropped answers requests that may wait.
func dropped(log *slog.Logger, s Service) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		after, err := strconv.ParseUint(cmp.Or(q.Get("after"), "0"), 10, 64)
		if err != nil {
			answer(log, w, r, nil, api.Invalid("it is the field last of an earlier answer", "after=%s: want a number", q.Get("after")))
			return
		}
		d, err := s.Dropped(r.Context(), DroppedRequest{Network: overlay.NetworkName(q.Get("network")), After: after})
		answer(log, w, r, d, err)
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
