// Package files keeps what a daemon has on disk whole, and its own: a file is
// replaced at once or not at all, and one process at a time holds a lock.
package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld says that another process has the lock.
var ErrHeld = errors.New("another process holds the lock")

// Replace makes data the content of the file at path, with mode 0600, on the
// disk when it returns. After a crash there is the old file or the new one,
// whole, and perhaps a part of the new one beside it, which a later Replace of
// the same file removes. The folder must exist.
func Replace(path string, data []byte) error {
	return ReplaceBy(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// ReplaceBy is Replace with what write writes, which need not be in memory as a
// whole. The file stays as it is if write returns an error.
func ReplaceBy(path string, write func(io.Writer) error) error {
	if err := replace(path, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func replace(path string, write func(io.Writer) error) error {
	dir, name := filepath.Dir(path), filepath.Base(path)
	if err := removeParts(dir, name); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+name+".*") // of mode 0600
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// partAge is how old a part of a file is before it counts as left behind: another
// process may be replacing the same file.
const partAge = time.Minute

// removeParts removes what a Replace of that name left that was killed: only
// names that [os.CreateTemp] makes, with a number at the end.
func removeParts(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "."+name+".")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if _, err := strconv.ParseUint(number, 10, 64); err != nil {
			continue
		}
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > partAge {
			err = os.Remove(filepath.Join(dir, e.Name()))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Aside is what SetAside appends to a file's name.
const Aside = ".damaged"

// SetAside renames a file that cannot be read, so that whoever wants to look at
// it can, and a new one can take its place. It replaces one that was set aside
// before, and returns where the file is.
func SetAside(path string) (aside string, err error) {
	aside = path + Aside
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set aside: %w", err)
	}
	return aside, nil
}

// syncDir makes a rename last (fsync(2): a file's own sync does not).
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock makes the file at path this process's until unlock, and creates it if
// need be. The error is [ErrHeld] while another has it.
func Lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return hold(f)
}

// LockNamespace makes the calling thread's network namespace this process's
// until unlock. The error is [ErrHeld] while another has it.
func LockNamespace() (unlock func() error, err error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	return hold(f)
}

func hold(f *os.File) (unlock func() error, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrHeld
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		// Closing alone is not enough: a process that is being started has a copy of
		// the descriptor until it executes, and the lock is the copies' too (flock(2)).
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
	}, nil
}
