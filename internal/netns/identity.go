package netns

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Identity tells one network namespace from all others that exist or existed
// since the machine was booted. It is comparable; the zero value is no
// namespace.
type Identity struct {
	// Device and Inode are the namespace's file (stat -L). The kernel hands out the
	// inode of a deleted namespace again at once, so they alone do not tell a
	// namespace from its successor.
	Device, Inode uint64
	// Cookie is never used twice (SO_NETNS_COOKIE, Linux 5.14), and 0 where the
	// kernel has none.
	Cookie uint64
}

// String returns the three numbers with colons between them.
func (id Identity) String() string {
	return fmt.Sprintf("%d:%d:%d", id.Device, id.Inode, id.Cookie)
}

// ID returns the identity of the network namespace at path. The error wraps
// [os.ErrNotExist] if nothing is there, and [ErrNotNamespace] if something else
// is.
func ID(path string) (Identity, error) {
	ns, err := open(path)
	if err != nil {
		return Identity{}, err
	}
	defer ns.Close()
	id, err := identify(ns)
	if err != nil {
		return Identity{}, fmt.Errorf("identify network namespace %s: %w", path, err)
	}
	return id, nil
}

func identify(ns *os.File) (Identity, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(ns.Fd()), &st); err != nil {
		return Identity{}, err
	}
	id := Identity{Device: st.Dev, Inode: st.Ino}
	err := onThread(func() error {
		return away(func() error { return setns(ns) }, func() (err error) {
			id.Cookie, err = cookie()
			return err
		})
	})
	return id, err
}

// cookie returns the cookie of the calling thread's network namespace.
func cookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if errors.Is(err, unix.ENOPROTOOPT) {
		return 0, nil
	}
	return c, os.NewSyscallError("getsockopt SO_NETNS_COOKIE", err)
}
