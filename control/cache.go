package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"weft/internal/files"
	"weft/overlay"
	"weft/store"
)

// cache is the node's memory of the store: what it last received, so that an
// agent that starts while no server can be reached still repairs what it
// forwards, and so that it notices when the store is not the one that it was.
type cache struct {
	path string
}

// cached is the file's content. Revision is the lowest that any of the watches had reached.
type cached struct {
	Revision  overlay.Revision  `json:"revision"`
	Resources []json.RawMessage `json:"resources"`
	Unknown   []unknown         `json:"unknown,omitempty"`
}

// unknown says what in a resource was not understood.
type unknown struct {
	Key  overlay.Key `json:"key"`
	What string      `json:"what"`
}

// errDamaged says that the file is there, and not as save wrote it.
var errDamaged = errors.New("the file is damaged")

// load reads the file; a missing one is an empty memory.
func (c cache) load() (store.Batch, error) {
	b, err := c.read()
	if err != nil {
		return store.Batch{}, fmt.Errorf("read %s: %w", c.path, err)
	}
	return b, nil
}

func (c cache) read() (store.Batch, error) {
	data, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return store.Batch{}, nil
	}
	if err != nil {
		return store.Batch{}, err
	}
	var file cached
	if err := json.Unmarshal(data, &file); err != nil {
		return store.Batch{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	b := store.Batch{Revision: file.Revision, Unknown: map[overlay.Key]string{}}
	for _, u := range file.Unknown {
		b.Unknown[u.Key] = u.What
	}
	for _, raw := range file.Resources {
		r, err := decode(raw)
		if err == nil && b.Unknown[r.Key()] == "" {
			err = r.Validate()
		}
		if err != nil {
			return store.Batch{}, fmt.Errorf("%w: %w", errDamaged, err)
		}
		b.Puts = append(b.Puts, r)
	}
	return b, nil
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

// save replaces the file as a whole: a crash leaves the old or the new one.
func (c cache) save(b store.Batch) error {
	file := cached{Revision: b.Revision, Resources: make([]json.RawMessage, 0, len(b.Puts))}
	for _, r := range b.Puts {
		raw, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode %s: %w", r.Key(), err)
		}
		file.Resources = append(file.Resources, raw)
	}
	for k, what := range b.Unknown {
		file.Unknown = append(file.Unknown, unknown{k, what})
	}
	data, err := json.Marshal(file)
	if err != nil {
		return err
	}
	return files.Replace(c.path, data)
}
