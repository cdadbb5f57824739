package rules

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"weft/overlay"
	"weft/store"
)

// document is a resource as it is stored. Spec and status stay as they were
// written, so that a version of Weft that does not know all their fields keeps
// them when it writes the other half.
type document struct {
	overlay.Meta
	Spec   json.RawMessage `json:"spec"`
	Status json.RawMessage `json:"status,omitempty"`
}

// Write returns the document that a Put makes of the one stored; old is nil
// when there is none. It returns old itself when nothing would change.
func Write(old []byte, c store.Change, now time.Time) ([]byte, error) {
	put, err := documentOf(c.Put)
	switch {
	case err != nil:
		return nil, err
	case old == nil && c.Status:
		return nil, fmt.Errorf("write status of %s: %w", c.Put.Key(), store.ErrNotFound)
	case old == nil:
		return json.Marshal(create(put, now))
	}
	stored, err := parse(old)
	if err != nil {
		return nil, err
	}
	known, err := Decode(c.Put.Key().Kind, old, 0)
	if err != nil {
		return nil, err
	}
	was, err := documentOf(known)
	switch {
	case err != nil:
		return nil, err
	case c.Status && bytes.Equal(was.Status, put.Status), !c.Status && bytes.Equal(was.Spec, put.Spec):
		return old, nil
	case c.Status:
		stored.Status = put.Status
	default:
		stored.Spec = put.Spec
		stored.Generation++
	}
	return json.Marshal(stored)
}

// create is the first document of a resource: its status is for a later write.
func create(put document, now time.Time) document {
	put.UID = rand.Text()
	put.Generation = 1
	put.Created = now.UTC().Round(0)
	put.Status = nil
	return put
}

// documentOf is the resource as a document without what only a store sets.
func documentOf(r overlay.Resource) (document, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return document{}, fmt.Errorf("encode %s: %w", r.Key(), err)
	}
	d, err := parse(b)
	k := r.Key()
	d.Meta = overlay.Meta{Kind: k.Kind, Network: k.Network, Name: k.Name}
	return d, err
}

func parse(b []byte) (d document, err error) {
	if err := json.Unmarshal(b, &d); err != nil {
		return document{}, fmt.Errorf("decode document: %w", err)
	}
	return d, nil
}

// Decode returns the resource in a document of the kind that was last written
// at the revision.
func Decode(kind overlay.Kind, doc []byte, revision int64) (overlay.Resource, error) {
	r := overlay.New(kind)
	if r == nil {
		return nil, fmt.Errorf("decode document: kind %q is unknown", kind)
	}
	if err := json.Unmarshal(doc, r); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	r.Header().Revision = revision
	return r, nil
}
