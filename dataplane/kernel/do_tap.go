package kernel

import (
	"os"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// doTap makes a TUN or TAP device that stays when nobody has it open. It is given its
// alias while it still goes with this process: a kill leaves either nothing, or a
// device that is known as Weft's.
func (o addLink) doTap(h *hand) error {
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
	if o.Link.Kind == KindTun {
		flags = unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_TUN_EXCL | unix.IFF_MULTI_QUEUE
	}
	var tap int
	err := netns.Do(h.path(o.ID.NS), func() (err error) {
		tap, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		return os.NewSyscallError("open /dev/net/tun", err)
	})
	if err != nil {
		return err
	}
	defer unix.Close(tap)
	request, err := unix.NewIfreq(o.ID.Name)
	if err != nil {
		return err
	}
	request.SetUint16(flags)
	if err := unix.IoctlIfreq(tap, unix.TUNSETIFF, request); err != nil {
		return os.NewSyscallError("ioctl TUNSETIFF", err)
	}
	alias := setLink{ID: o.ID, Want: Link{Alias: o.Link.Alias}}
	if err := alias.do(h); err != nil {
		return err
	}
	return os.NewSyscallError("ioctl TUNSETPERSIST", unix.IoctlSetInt(tap, unix.TUNSETPERSIST, 1))
}
