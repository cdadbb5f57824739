package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// batchLine is how many resources a line of a watch has at most, so that neither
// side holds a large list twice.
const batchLine = 500

// watch streams what the store delivers. The answer begins at once, and what
// goes wrong then is the last line.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, id identity.Identity) error {
	in, from, err := parseWatch(r.URL.Query())
	if err != nil {
		return err
	}
	for _, k := range in.Kinds {
		if k == overlay.KindToken && id.Role != overlay.RoleAdmin {
			return Forbidden(needs(admins), "%s may not watch tokens", id)
		}
	}
	if err := s.mayFollow(r.Context(), id); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &stream{w: w, control: http.NewResponseController(w)}
	ctx, cancel := s.session(r.Context(), id)
	defer cancel()
	stop := out.keepAlive(ctx, s.KeepAlive, s.stopping, cancel)
	err = s.Store.Watch(ctx, in, from, func(b store.Batch) error {
		if id.Role == overlay.RoleNode && len(b.Deletes) > 0 {
			// Whoever is removed hears of that, and not of what is removed
			// with it: its host would take it for detached.
			s.index.passed(ctx, b.Revision, s.patience)
			if err := s.revoked(id); err != nil {
				return err
			}
		}
		return out.batch(b)
	})
	stop()
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrRevoked) {
		err = cause
	}
	level := slog.LevelInfo
	switch {
	case errors.Is(err, store.ErrRevoked):
		level = s.revokedLevel(id)
	case errors.Is(context.Cause(ctx), identity.ErrExpired):
		err = Forbidden("watch again with the renewed one", "%v", identity.ErrExpired)
	case r.Context().Err() != nil || out.err != nil:
		return nil // the client has gone, or this server is going
	case err == nil:
		err = store.ErrUnavailable
	}
	s.log.Log(r.Context(), level, "watch ended", "from", r.RemoteAddr, "who", id.String(), "error", err)
	if err := out.write(watchLine[overlay.Resource]{Error: ErrorOf(err)}); err != nil {
		s.log.Debug("answer", "from", r.RemoteAddr, "error", err)
	}
	return nil
}

// stream writes the lines of a watch. Batches and keep-alives come from
// different goroutines.
type stream struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	err     error // of writing
}

func (t *stream) write(v any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.control.SetWriteDeadline(time.Now().Add(deadAfter))
	}
	if t.err == nil {
		t.err = json.NewEncoder(t.w).Encode(v)
	}
	if t.err == nil {
		t.err = t.control.Flush()
	}
	return t.err
}

// batch writes a batch in one line, or several if it is large.
func (t *stream) batch(b store.Batch) error {
	l := watchLine[overlay.Resource]{Revision: b.Revision, Reset: b.Reset, Puts: b.Puts, Deletes: b.Deletes}
	for len(l.Puts) > batchLine {
		part := watchLine[overlay.Resource]{Revision: b.Revision, Reset: b.Reset, More: true, Puts: l.Puts[:batchLine]}
		if err := t.write(part); err != nil {
			return err
		}
		l.Puts = l.Puts[batchLine:]
	}
	return t.write(l)
}

// keepAlive writes an empty line now, and then every so often, until stop. When
// the server is stopping it ends the watch.
func (t *stream) keepAlive(ctx context.Context, every time.Duration, stopping <-chan struct{}, end func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for t.write(struct{}{}) == nil {
			select {
			case <-tick.C:
			case <-stopping:
				end()
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// formatWatch and parseWatch are a watch's parameters in a query.
func formatWatch(in store.Interest, from overlay.Revision) url.Values {
	q := url.Values{}
	if len(in.Kinds) > 0 {
		q.Set("kinds", join(in.Kinds))
	}
	if len(in.Networks) > 0 {
		q.Set("networks", join(in.Networks))
	}
	if in.Node != "" {
		q.Set("node", string(in.Node))
	}
	if !from.IsZero() {
		q.Set("incarnation", from.Incarnation)
		q.Set("revision", strconv.FormatInt(from.Number, 10))
	}
	return q
}

func parseWatch(q url.Values) (in store.Interest, from overlay.Revision, err error) {
	for _, s := range split(q.Get("kinds")) {
		kind, err := overlay.ParseKind(s)
		if err != nil {
			return in, from, Invalid("", "%v", err)
		}
		in.Kinds = append(in.Kinds, kind)
	}
	for _, s := range split(q.Get("networks")) {
		in.Networks = append(in.Networks, overlay.NetworkName(s))
	}
	in.Node = overlay.NodeName(q.Get("node"))
	from.Incarnation = q.Get("incarnation")
	if text := q.Get("revision"); text != "" {
		from.Number, err = strconv.ParseInt(text, 10, 64)
		if err != nil || from.Number < 0 {
			return in, from, Invalid("", "revision=%.40s: want a number", text)
		}
	}
	return in, from, nil
}

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = string(v)
	}
	return strings.Join(words, ",")
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
