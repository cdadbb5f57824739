package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrRunning says that an agent runs on this host: in this network namespace.
var ErrRunning = errors.New("another agent runs on this host")

// Claim makes this process the only one that makes this host match: two would
// undo each other's work, whatever their folders are. The claim is a socket's
// abstract name, which each network namespace has for itself (unix(7)), and ends
// with the process at the latest.
func Claim() (leave func(), err error) {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@weft-agent", Net: "unixgram"})
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, ErrRunning
	case err != nil:
		return nil, fmt.Errorf("claim this host: %w", err)
	}
	return func() { c.Close() }, nil
}

// lock makes sure that one agent uses a run directory.
func lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "agent.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		closeErr := f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("another agent runs with --run-dir %s; end that one, or give this one folders of its own", dir)
		}
		return nil, errors.Join(err, closeErr)
	}
	return func() { f.Close() }, nil
}
