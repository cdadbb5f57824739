package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// maxBody is the most that a request, or a reply that is no list or
	// watch, may have, in bytes. The largest is a node's status.
	maxBody = 4 << 20
	// maxError is the most that is read of a refusal, in bytes.
	maxError = 64 << 10
)

// ReadJSON decodes a request's body, which is one JSON value and has no field
// that into does not: a misspelt or newer field is refused instead of dropped.
// The error is an Error.
func ReadJSON(w http.ResponseWriter, r *http.Request, into any) error {
	return readJSON(w, r, into, maxBody)
}

// readJSON is ReadJSON of a body that may have so many bytes.
func readJSON(w http.ResponseWriter, r *http.Request, into any, most int64) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bodyError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Invalid("", "read body: something follows the JSON value")
	}
	return nil
}

func bodyError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		return Invalid("", "read body: it is empty; want JSON")
	case errors.As(err, &large):
		return Invalid("", "read body: it is larger than %d bytes", large.Limit)
	}
	if field, ok := unknownField(err); ok {
		return Invalid("correct the spelling; or the server is older than who asks: update it", "read body: unknown field %s", field)
	}
	return Invalid("", "read body: %s", strings.TrimPrefix(oneLine(err.Error()), "json: "))
}

// unknownField tells the error of Decoder.DisallowUnknownFields, which has no
// type (encoding/json/decode.go), from others.
func unknownField(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	return strings.CutPrefix(err.Error(), "json: unknown field ")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

// WriteError answers with a refusal.
func WriteError(w http.ResponseWriter, err error) error {
	e := ErrorOf(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status())
	return json.NewEncoder(w).Encode(e)
}

// ReadReply decodes what was answered, or returns the refusal as an Error.
// A nil into takes no body.
func ReadReply(r *http.Response, into any) error {
	if r.StatusCode/100 != 2 {
		return readError(r)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return fmt.Errorf("read reply of %s: %w", r.Request.URL.Host, err)
	}
	return nil
}

func readError(r *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxError))
	if err != nil {
		return fmt.Errorf("read reply of %s: %w", r.Request.URL.Host, err)
	}
	e := &Error{}
	if json.Unmarshal(text, e) != nil || e.Message == "" {
		return fmt.Errorf("%s %s: %s is not Weft's answer: %s %.100q", r.Request.Method, r.Request.URL, r.Request.URL.Host, r.Status, oneLine(string(text)))
	}
	return e
}
