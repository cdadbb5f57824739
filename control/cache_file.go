package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"weft/overlay"
	"weft/store"
)

// reader reads the file, field by field in whatever order.
type reader struct {
	from  *json.Decoder
	batch store.Batch
	// raw is that of one resource at a time.
	raw json.RawMessage
}

func (r *reader) object() error {
	if err := r.delimiter('{'); err != nil {
		return err
	}
	for r.from.More() {
		name, err := r.from.Token()
		if err != nil {
			return err
		}
		if err := r.field(name); err != nil {
			return err
		}
	}
	if err := r.delimiter('}'); err != nil {
		return err
	}
	switch more, err := r.from.Token(); {
	case err == nil:
		return fmt.Errorf("%v follows its end", more)
	case !errors.Is(err, io.EOF):
		return err
	}
	return r.check()
}

func (r *reader) delimiter(want json.Delim) error {
	switch got, err := r.from.Token(); {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%v: want %v", got, want)
	}
	return nil
}

func (r *reader) field(name json.Token) error {
	switch name {
	case "revision":
		return r.from.Decode(&r.batch.Revision)
	case "resources":
		return r.list(r.resource)
	case "unknown":
		return r.list(r.unknown)
	}
	return r.from.Decode(&r.raw) // of another version
}

func (r *reader) list(element func() error) error {
	if err := r.delimiter('['); err != nil {
		return err
	}
	for r.from.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return r.delimiter(']')
}

func (r *reader) resource() error {
	if err := r.from.Decode(&r.raw); err != nil {
		return err
	}
	one, err := decode(r.raw)
	r.batch.Puts = append(r.batch.Puts, one)
	return err
}

func (r *reader) unknown() error {
	var u unknown
	err := r.from.Decode(&u)
	r.batch.Unknown[u.Key] = u.What
	return err
}

// check validates what is understood: what is not is known at the end of the file only.
func (r *reader) check() error {
	for _, one := range r.batch.Puts {
		if r.batch.Unknown[one.Key()] != "" {
			continue
		}
		if err := one.Validate(); err != nil {
			return err
		}
	}
	return nil
}

func decode(raw json.RawMessage) (overlay.Resource, error) {
	var meta overlay.Meta
	if err := json.Unmarshal(raw, &meta); err != nil {
		return nil, err
	}
	r := overlay.New(meta.Kind)
	if r == nil {
		return nil, fmt.Errorf("kind %q is unknown", meta.Kind)
	}
	return r, json.Unmarshal(raw, r)
}

// writer writes JSON until something fails.
type writer struct {
	to  io.Writer
	err error
	// first: the next element is its list's first.
	first bool
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.to, s)
	}
}

func (w *writer) value(v any) {
	if w.err == nil {
		w.err = json.NewEncoder(w.to).Encode(v)
	}
}

func (w *writer) element(v any) {
	if !w.first {
		w.text(",")
	}
	w.first = false
	w.value(v)
}
