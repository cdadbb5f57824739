package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// List returns the names of the labs that are on this machine, also of those whose
// builder is gone.
func List() ([]string, error) {
	entries, err := os.ReadDir(Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Clean removes a lab by its name, whoever built it: it kills the processes that
// live in the lab's namespaces, and removes the namespaces and the folder. A lab
// that is not there, or only in part, is no error.
func Clean(name string) error {
	if !labName.MatchString(name) {
		return fmt.Errorf("clean lab: no lab is called %q", name)
	}
	if err := clean(name); err != nil {
		return fmt.Errorf("clean lab %s: %w", name, err)
	}
	return nil
}

// clean keeps the folder to the end: while anything is left, the lab is listed.
func clean(name string) error {
	dir := filepath.Join(Root, name)
	namespaces, err := namespacesOf(name, dir)
	if err != nil {
		return err
	}
	errs := []error{killAll(namespaces)}
	for _, path := range namespaces {
		errs = append(errs, netns.Delete(path))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return removeEmpty(Root)
}

// unmountBelow unmounts what programs in the lab have mounted in its folder.
func unmountBelow(dir string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, line := range slices.Backward(slices.Collect(strings.Lines(string(table)))) {
		const mountPoint = 4 // proc_pid_mountinfo(5), counted from 0
		if f := strings.Fields(line); len(f) > mountPoint && strings.HasPrefix(f[mountPoint], dir+"/") {
			errs = append(errs, os.NewSyscallError("unmount "+f[mountPoint], unix.Unmount(f[mountPoint], unix.MNT_DETACH)))
		}
	}
	return errors.Join(errs...)
}

// removeEmpty removes a folder unless something is in it.
func removeEmpty(dir string) error {
	err := os.Remove(dir)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// namespacesOf finds the lab's namespaces: those of its names, also such as a
// killed builder had not mounted yet, and those that programs in the lab mounted in
// its folder.
func namespacesOf(lab, dir string) ([]string, error) {
	paths, err := filepath.Glob(netns.Named(namespaceName(lab, "*")))
	if err != nil {
		return nil, err
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(info)) {
		// proc(5): field 5 is the mount point; the file system follows the dash.
		fields := strings.Fields(line)
		if len(fields) < 5 || !strings.Contains(line, " - nsfs ") {
			continue
		}
		if at := fields[4]; strings.HasPrefix(at, dir+"/") {
			paths = append(paths, at)
		}
	}
	return paths, nil
}

// killAll kills every process but this one in any of the namespaces, and waits
// until they have ended.
func killAll(namespaces []string) error {
	ours := map[netns.Identity]bool{}
	for _, path := range namespaces {
		id, err := netns.ID(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, netns.ErrNotNamespace) {
			continue // gone, or not yet there: nobody lives in it
		}
		if err != nil {
			return err
		}
		ours[id] = true
	}
	// What is killed may just have started something.
	for range 10 {
		killed, err := killOnce(ours)
		if err != nil || killed == 0 {
			return err
		}
	}
	return errors.New("processes keep starting in its namespaces")
}

func killOnce(ours map[netns.Identity]bool) (killed int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		in := func() bool {
			id, err := netns.ID(netns.FromPID(pid))
			return err == nil && ours[id] // an error: it has ended, or is a zombie
		}
		if !in() {
			continue
		}
		if err := kill(pid, in); err != nil {
			return killed, fmt.Errorf("kill process %d: %w", pid, err)
		}
		killed++
	}
	return killed, nil
}

// kill kills a process if it is still the one meant, and waits for its end.
func kill(pid int, meant func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(fd)
	if !meant() { // the number went to another process before it was opened
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return os.NewSyscallError("pidfd_send_signal", err)
	}
	// A pidfd is readable when its process has ended (pidfd_open(2)).
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int(grace.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n == 0:
			return fmt.Errorf("it did not end within %v", grace)
		default:
			return nil
		}
	}
}
