// Package netns makes, finds, enters and removes named network namespaces
// without the ip command.
//
// A namespace is named by a path at which it is bind-mounted, as iproute2 has
// it: /run/netns/NAME, or NAME in any other folder. A path is only a name: what
// is behind it can be replaced at any time, which [ID] lets a caller see.
//
// Entering a namespace changes one operating system thread, so [Do] is the only
// way in: it runs a function on a locked thread of its own and gives that
// thread up when it cannot be brought back. Nothing here keeps state and
// everything may be called concurrently; [Create] and [Delete] on one folder
// exclude each other, also between processes.
//
// Links, addresses and everything else that lives in a namespace belong to
// other packages.
package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir is the folder in which iproute2 keeps its named namespaces.
const Dir = "/run/netns"

// Create makes a new, empty network namespace and mounts it at path. Missing
// folders are made. Nothing in the namespace is set up; its loopback is down.
// A namespace that is there already is left alone: the error wraps
// [fs.ErrExist].
func Create(path string) error {
	if err := place(path, mountNew); err != nil {
		return fmt.Errorf("create network namespace %s: %w", path, err)
	}
	return nil
}

// Mount gives the namespace at source, which may be a file descriptor's path, the name
// path too. What Create says of path holds here.
func Mount(source, path string) error {
	err := place(path, func(path string) error {
		return wrapMount("mount", path, unix.Mount(source, path, "", unix.MS_BIND, ""))
	})
	if err != nil {
		return fmt.Errorf("name network namespace %s: %w", path, err)
	}
	return nil
}

// place makes path and has mount mount a namespace there.
func place(path string, mount func(path string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if dir == Dir {
		if err := share(dir); err != nil {
			return err
		}
	}
	if err := placeholder(path); err != nil {
		return err
	}
	if err := mount(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// placeholder makes the empty file that a namespace is mounted on. One that a
// killed process left behind is used again.
func placeholder(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if leftover, statErr := isPlaceholder(path); statErr != nil || !leftover {
		return errors.Join(err, statErr)
	}
	return nil
}

// isPlaceholder says whether path is an empty ordinary file with nothing
// mounted on it.
func isPlaceholder(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Size() != 0 {
		return false, nil
	}
	mounted, err := isMounted(path)
	return !mounted, err
}

// mountNew makes a namespace on a thread of its own and mounts it at path.
func mountNew(path string) error {
	return onThread(func() error {
		return away(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() error {
			if err := unix.Mount(threadNS, path, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("mount %s: %w", path, err)
			}
			return nil
		})
	})
}

// Delete removes the name at path: it unmounts what is there and removes the
// file. The namespace itself goes when its last process, socket and other mount
// have gone, and the kernel takes its links down a moment later. Deleting what
// is absent succeeds; a file that is no namespace is refused with
// [ErrNotNamespace].
func Delete(path string) error {
	err := remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("delete network namespace %s: %w", path, err)
}

func remove(path string) error {
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	// More than one mount can lie on a path.
	for {
		mounted, err := isMounted(path)
		if err != nil {
			return err
		}
		if !mounted {
			break
		}
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	if leftover, err := isPlaceholder(path); err != nil {
		return err
	} else if !leftover {
		return ErrNotNamespace
	}
	return os.Remove(path)
}

// List returns the names in dir behind which there is a network namespace, in
// order. A folder that does not exist has none.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		ns, err := open(filepath.Join(dir, e.Name()))
		if errors.Is(err, ErrNotNamespace) || errors.Is(err, fs.ErrNotExist) {
			continue // some other file, or removed while we read
		}
		if err != nil {
			return nil, fmt.Errorf("list network namespaces: %w", err)
		}
		ns.Close()
		names = append(names, e.Name())
	}
	return names, nil
}

// isMounted says whether a namespace of any kind is mounted on path. A symbolic
// link to one is not: it is somebody else's way to name a namespace.
func isMounted(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return st.Type == unix.NSFS_MAGIC, nil
}

// share makes dir a shared mount, as iproute2 does for /run/netns (iproute2
// ip/ipnetns.c, netns_add): a name removed here must also vanish from the
// mount namespaces of services started in between, or they keep the network
// namespace alive.
func share(dir string) error {
	err := unix.Mount("", dir, "", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return wrapMount("share", dir, err)
	}
	// EINVAL: dir is no mount yet. Mount it on itself first.
	if err := unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return wrapMount("mount", dir, err)
	}
	return wrapMount("share", dir, unix.Mount("", dir, "", unix.MS_SHARED|unix.MS_REC, ""))
}

func wrapMount(verb, dir string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, dir, err)
}

// lockDir takes the lock that iproute2 takes too, on the folder itself.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { d.Close() }, nil // closing gives the lock back
}
