package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
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

// The file is one JSON object:
//
//	{"revision": …, "resources": [{…}, …], "unknown": [{"key": …, "what": …}, …]}
//
// Revision is the lowest that any of the watches had reached. It is written and read a resource
// at a time: as a whole it would be several times as large in memory as what it holds.

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
	f, err := os.Open(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return store.Batch{}, nil
	}
	if err != nil {
		return store.Batch{}, err
	}
	defer f.Close()
	r := reader{from: json.NewDecoder(bufio.NewReader(f)), batch: store.Batch{Unknown: map[overlay.Key]string{}}}
	if err := r.object(); err != nil {
		var unread *fs.PathError
		if errors.As(err, &unread) { // the disk's fault and not the content's
			return store.Batch{}, err
		}
		return store.Batch{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return r.batch, nil
}

// save replaces the file as a whole: a crash leaves the old or the new one.
func (c cache) save(at overlay.Revision, resources iter.Seq[overlay.Resource], notUnderstood map[overlay.Key]string) error {
	return files.ReplaceBy(c.path, func(to io.Writer) error {
		w := writer{to: to}
		w.text(`{"revision":`)
		w.value(at)
		w.text(`,"resources":[`)
		w.first = true
		for r := range resources {
			w.element(r)
		}
		w.text(`],"unknown":[`)
		w.first = true
		for k, what := range notUnderstood {
			w.element(unknown{k, what})
		}
		w.text("]}\n")
		return w.err
	})
}
