package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// threadNS is the calling thread's network namespace. /proc/self would be that
// of the process's first thread.
const threadNS = "/proc/thread-self/ns/net"

// ErrNotNamespace says that a file is there, but no network namespace.
var ErrNotNamespace = errors.New("not a network namespace")

// Do runs f in the network namespace at path and returns f's error.
//
// What f does itself happens in the namespace: sockets and netlink handles it
// opens, processes it starts (they stay there), files it opens under /proc/sys/net and
// /proc/thread-self/net. Goroutines that f starts do not run there, and some
// functions start some: dial and listen on IP addresses, not on host names.
// /sys keeps showing the namespace in which it was mounted.
//
// f runs on a thread of its own, never on the process's first one, by which
// other processes see us (/proc/PID/ns/net). A runtime.Goexit in f, as of
// testing.T.FailNow, ends the caller too.
func Do(path string, f func() error) error {
	target, err := open(path)
	if err != nil {
		return err
	}
	defer target.Close()
	return onThread(func() error {
		return away(func() error { return setns(target) }, f)
	})
}

// DoAlone runs f in a new, empty network namespace, as [Do] does in another one. The
// namespace has no name: it lives as long as what f opens in it.
func DoAlone(f func() error) error {
	return onThread(func() error {
		return away(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, f)
	})
}

// away leaves the calling thread's namespace by way of enter, runs f, and comes
// back. The thread must be locked; it stays locked, and so dies with its
// goroutine, if there is no way back.
func away(enter, f func() error) error {
	origin, err := os.Open(threadNS)
	if err != nil {
		return err
	}
	defer origin.Close()
	if err := enter(); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer func() {
		if setns(origin) != nil {
			runtime.LockOSThread() // one lock more than onThread takes back
		}
	}()
	return f()
}

func setns(ns *os.File) error {
	return os.NewSyscallError("setns", unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET))
}

// onThread runs f in a goroutine that is locked to a thread other than the
// process's first, and waits for it.
func onThread(f func() error) error {
	var (
		err      error
		returned bool
		done     = make(chan struct{})
	)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// Sitting on the first thread keeps the next goroutine off it.
			err, returned = onThread(f), true
			return
		}
		err = f()
		returned = true
	}()
	<-done
	if !returned {
		runtime.Goexit()
	}
	return err
}

// open opens the network namespace at path.
func open(path string) (*os.File, error) {
	// Not to wait for a writer, should a user name a FIFO.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	if !isNet(f) {
		f.Close()
		return nil, fmt.Errorf("open network namespace %s: %w", path, ErrNotNamespace)
	}
	return f, nil
}

// isNet says whether f is a network namespace, and not a file or another kind
// of namespace.
func isNet(f *os.File) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil || st.Type != unix.NSFS_MAGIC {
		return false
	}
	kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	return err == nil && kind == unix.CLONE_NEWNET
}
