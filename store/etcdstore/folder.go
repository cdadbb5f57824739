package etcdstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"

	"weft/internal/files"
)

// An embedded etcd's folder holds etcd's own folder member and two files of ours.
const (
	lockFile = "lock"
	// madeFile is there since etcd was ready for the first time.
	madeFile = "made"
)

// lock makes the folder this process's until unlock.
func lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err = files.Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, files.ErrHeld) {
		err = errors.New("another process uses it; is a server running already?")
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return unlock, nil
}

// clearUnmade removes what an etcd left that was killed in its first start, before
// it had committed anything. etcd itself would wait for ever there, for a leader
// of a cluster that has no members.
func clearUnmade(dir string) error {
	_, err := os.Stat(filepath.Join(dir, madeFile))
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	member := filepath.Join(dir, "member")
	if !wal.Exist(filepath.Join(member, "wal")) || committed(filepath.Join(member, "wal")) {
		return nil
	}
	return os.RemoveAll(member)
}

// committed reports whether a write-ahead log may have committed entries. It
// only says no of one that can be read from its beginning.
func committed(dir string) bool {
	w, err := wal.OpenForRead(nil, dir, &walpb.Snapshot{})
	if err != nil {
		return true
	}
	defer w.Close()
	_, state, _, err := w.ReadAll()
	return err != nil || state.GetCommit() > 0
}

// markMade records that etcd was ready.
func markMade(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, madeFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
