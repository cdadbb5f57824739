package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"weft/overlay"
	"weft/store"
)

// Watch implements store.Store. It outlives the client's certificate: when the
// server ends it with that, it goes on with the next.
func (c *Client) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	if len(in.Kinds) == 0 {
		in.Kinds = readable() // and none that this version does not know
	}
	for {
		cert := c.holder.Current()
		err := c.watchOnce(ctx, in, &from, deliver)
		var refused *Error
		renewed := c.holder.Current() != cert
		if !errors.As(err, &refused) || refused.Code != CodeForbidden || !renewed {
			return err
		}
	}
}

// readable are the kinds that are given to who names none.
func readable() []overlay.Kind {
	var kinds []overlay.Kind
	for _, k := range overlay.Kinds() {
		if !k.OnlyNamed() {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// watchOnce watches until the server ends it, and moves from on with each batch.
func (c *Client) watchOnce(ctx context.Context, in store.Interest, from *overlay.Revision, deliver func(store.Batch) error) error {
	if ctx.Err() != nil {
		return nil
	}
	quiet, cancel := context.WithCancel(ctx)
	defer cancel()
	alarm := time.AfterFunc(c.Silence, cancel)
	defer alarm.Stop()
	r, err := c.ask(quiet, http.MethodGet, "/v1/watch", formatWatch(in, *from), nil)
	if err == nil {
		defer r.Body.Close()
		err = c.follow(heard{r.Body, alarm, c.Silence}, r, from, deliver)
	}
	var outer deliverError
	var refused *Error
	switch {
	case errors.As(err, &outer):
		return outer.error
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &refused):
		return err
	case quiet.Err() != nil:
		return unavailable("watch: nothing heard for %v", c.Silence)
	}
	return unavailable("watch: %s broke off: %v", r.Request.URL.Host, err)
}

// deliverError is the error of who watches.
type deliverError struct{ error }

// follow delivers the batches of a watch's lines until the last.
func (c *Client) follow(body io.Reader, r *http.Response, from *overlay.Revision, deliver func(store.Batch) error) error {
	if r.StatusCode != http.StatusOK {
		return readError(r)
	}
	d := json.NewDecoder(body)
	var b store.Batch
	for {
		var l watchLine[json.RawMessage]
		if err := d.Decode(&l); err != nil {
			return err
		}
		switch {
		case l.Error != nil:
			return l.Error
		case l.Revision.IsZero():
			continue
		}
		if err := c.add(&b, l); err != nil {
			return err
		}
		if l.More {
			continue
		}
		if err := deliver(b); err != nil {
			return deliverError{err}
		}
		*from, b = b.Revision, store.Batch{}
	}
}

// add adds a line to a batch.
func (c *Client) add(b *store.Batch, l watchLine[json.RawMessage]) error {
	b.Revision, b.Reset = l.Revision, l.Reset
	b.Deletes = append(b.Deletes, l.Deletes...)
	for _, k := range l.Deletes {
		c.remember(k, "")
	}
	for _, raw := range l.Puts {
		r, unknown, err := decodeResource(raw)
		if err != nil {
			return err
		}
		b.Puts = append(b.Puts, r)
		c.remember(r.Key(), unknown)
		if unknown == "" {
			continue
		}
		if b.Unknown == nil {
			b.Unknown = map[overlay.Key]string{}
		}
		b.Unknown[r.Key()] = unknown
	}
	return nil
}

// heard puts the alarm off with everything that is read.
type heard struct {
	io.Reader
	alarm   *time.Timer
	silence time.Duration
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.alarm.Reset(h.silence)
	}
	return n, err
}
