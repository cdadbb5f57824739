package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"weft/overlay"
)

// decodeResource reads a resource of whatever kind it says that it is. unknown
// says what in it this version does not understand: a field it has no place
// for, or a value that it does not take. The resource is incomplete then.
func decodeResource(raw []byte) (r overlay.Resource, unknown string, err error) {
	var meta struct{ overlay.Meta }
	if err := json.Unmarshal(raw, &meta); err != nil {
		return nil, "", fmt.Errorf("read resource: %w", err)
	}
	if r = overlay.New(meta.Kind); r == nil {
		return nil, "", fmt.Errorf("read resource: kind %.40q is unknown", meta.Kind)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	strict := d.Decode(r)
	if strict == nil {
		if err := r.Validate(); err != nil {
			return r, err.Error(), nil
		}
		return r, "", nil
	}
	// Again, to have what comes behind the unknown field too.
	r = overlay.New(meta.Kind)
	if err := json.Unmarshal(raw, r); err != nil {
		r = overlay.New(meta.Kind)
		*r.Header() = meta.Meta
		return r, err.Error(), nil
	}
	if field, ok := unknownField(strict); ok {
		return r, "field " + field, nil
	}
	return r, strict.Error(), nil
}

// take decodes a resource and remembers whether it may be written back.
func (c *Client) take(raw []byte) (overlay.Resource, error) {
	r, unknown, err := decodeResource(raw)
	if err == nil {
		c.remember(r.Key(), unknown)
	}
	return r, err
}

func (c *Client) remember(k overlay.Key, unknown string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if unknown == "" {
		delete(c.unknown, k)
	} else {
		c.unknown[k] = unknown
	}
}
