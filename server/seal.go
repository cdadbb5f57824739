package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"weft/api"
	"weft/internal/files"
	"weft/overlay"
)

// sealFile is, in the state folder, where the store was when this server saw it last.
const sealFile = "store.json"

// seal is the file at a path. It implements [api.Seal].
type seal string

var _ api.Seal = seal("")

// Load implements [api.Seal]: a server whose state folder is new has sealed nothing.
func (s seal) Load() (at overlay.Revision, err error) {
	data, err := os.ReadFile(string(s))
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	if err := json.Unmarshal(data, &at); err != nil {
		return at, fmt.Errorf("read %s: %w; remove it if the store is the one that it was", string(s), err)
	}
	return at, nil
}

// Save implements [api.Seal].
func (s seal) Save(at overlay.Revision) error {
	data, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("encode revision: %w", err)
	}
	return files.Replace(string(s), data)
}
