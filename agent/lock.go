package agent

import (
	"errors"
	"fmt"
	"path/filepath"

	"weft/internal/files"
)

// ErrRunning says that an agent runs on this host: in this network namespace.
var ErrRunning = errors.New("another agent runs on this host")

// Claim makes this process the only one that makes this host match: two would
// undo each other's work, whatever their folders are. The claim is a lock on the
// network namespace itself, and ends with the process at the latest.
func Claim() (leave func() error, err error) {
	leave, err = files.LockNamespace()
	switch {
	case errors.Is(err, files.ErrHeld):
		return nil, ErrRunning
	case err != nil:
		return nil, fmt.Errorf("claim this host: %w", err)
	}
	return leave, nil
}

// lock makes sure that one agent uses a run directory.
func lock(dir string) (unlock func() error, err error) {
	unlock, err = files.Lock(filepath.Join(dir, "agent.lock"))
	switch {
	case errors.Is(err, files.ErrHeld):
		return nil, fmt.Errorf("another agent runs with --run-dir %s; end that one, or give this one folders of its own", dir)
	case err != nil:
		return nil, fmt.Errorf("lock the run directory: %w", err)
	}
	return unlock, nil
}
