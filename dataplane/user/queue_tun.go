package user

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// tun is a queue of a TUN link.
type tun struct{ file *os.File }

// persistent is the flag of a link that was made to stay (linux/if_tun.h, IFF_PERSIST).
const persistent = 0x0800

// openTUN opens a link that is there, in the namespace at a path.
func openTUN(namespace, name string) (*tun, error) {
	fd := -1
	err := netns.Do(namespace, func() (err error) {
		if _, err := net.InterfaceByName(name); err != nil { // opening would make one
			return fmt.Errorf("there is no link %s: %w", name, fs.ErrNotExist)
		}
		if fd, err = openQueue(name); err != nil {
			return err
		}
		if err = deepen(name); err != nil {
			_ = unix.Close(fd)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open link %s: %w", name, err)
	}
	return &tun{os.NewFile(uintptr(fd), name)}, nil
}

// openQueue opens /dev/net/tun for the link of that name in the calling thread's namespace.
func openQueue(name string) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("open /dev/net/tun", err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_MULTI_QUEUE)
		err = os.NewSyscallError("ioctl TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
	}
	if err == nil { // only then it can be waited for
		err = os.NewSyscallError("fcntl O_NONBLOCK", unix.SetNonblock(fd, true))
	}
	if link, _ := queueLink(fd); err == nil && (link == nil || link.Uint16()&persistent == 0) {
		err = fmt.Errorf("there is no link %s any more: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// queueLength is how many packets wait in a TUN link while the forwarder is not scheduled; the
// kernel's default is 500 (drivers/net/tun.c, TUN_READQ_SIZE).
const queueLength = 5000

// deepen gives a link of the calling thread's namespace that length (netdevice(7), SIOCSIFTXQLEN).
func deepen(name string) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	request.SetUint32(queueLength)
	err = unix.IoctlIfreq(fd, unix.SIOCSIFTXQLEN, request)
	return errors.Join(os.NewSyscallError("ioctl SIOCSIFTXQLEN", err), unix.Close(fd))
}

// queueLink is the link that a queue is of, with its flags; an error if that is gone.
func queueLink(fd int) (*unix.Ifreq, error) {
	request, err := unix.NewIfreq("")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, request)
	}
	if err != nil {
		return nil, os.NewSyscallError("ioctl TUNGETIFF", err)
	}
	return request, nil
}

// there reports whether the link is there, under its name: for one that somebody has renamed,
// another is made.
func (t *tun) there() (ok bool) {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		link, err := queueLink(int(fd))
		ok = err == nil && link.Name() == t.file.Name()
	})
	return ok && err == nil
}

func (t *tun) read(into []datagram) (int, error) {
	n, err := t.file.Read(into[0].room)
	if err != nil {
		return 0, err
	}
	into[0].packet = into[0].room[:n]
	return 1, nil
}

func (t *tun) write(all []datagram) (int, error) {
	for i, d := range all {
		if _, err := t.file.Write(d.packet); err != nil {
			return i, err
		}
	}
	return len(all), nil
}

// Close implements queue.
func (t *tun) Close() error { return t.file.Close() }
