package etcdstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// mend is what to do about a database that is damaged.
const mend = "put the folder back from a backup, or move it away and start again: " +
	"nodes keep what they have until the store is recovered (docs/running.md)"

// checkDatabase reports that the database cannot be opened or was cut off. etcd
// panics then, in a goroutine of its own where nobody can recover, or is killed
// for reading behind the file's end. What is damaged within it is etcd's to find.
func checkDatabase(dir string) error {
	_, err := os.Stat(filepath.Join(dir, madeFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil // etcd was never ready: it makes the database, or makes it anew
	}
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "member", "snap", "db")
	have, want, err := extent(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // etcd says what it makes of that
	case err != nil:
		return fmt.Errorf("the database %s is damaged: %w; %s", path, err, mend)
	case have < want:
		return fmt.Errorf("the database %s is damaged: it has %d bytes of %d; %s", path, have, want, mend)
	}
	return nil
}

// extent returns how many bytes a database's file has, and how many it uses.
func extent(path string) (have, want int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	if info.Size() == 0 {
		return 0, 0, errors.New("it is empty") // bbolt would write to it
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return 0, 0, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		want = tx.Size()
		return nil
	})
	return info.Size(), want, errors.Join(err, db.Close())
}
