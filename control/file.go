package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"weft/internal/files"
)

// fromFile reads what an earlier run wrote into a file, if it did. The error wraps errDamaged if
// that cannot be understood.
func fromFile(path string, into any) error {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w: %w", path, errDamaged, err)
	}
	return nil
}

// toFile writes what a later run is to read.
func toFile(path string, what any) error {
	data, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(path, append(data, '\n'))
}
