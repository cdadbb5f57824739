package user

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// Probe makes a TUN link in a namespace that goes again, and says what is in the way.
func Probe() error {
	err := netns.DoAlone(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("open /dev/net/tun", err)
		}
		request, err := unix.NewIfreq("tun0")
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_MULTI_QUEUE)
			err = os.NewSyscallError("ioctl TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
		}
		return errors.Join(err, unix.Close(fd))
	})
	if err != nil {
		return fmt.Errorf("the kernel lacks TUN links (CONFIG_TUN): %w", err)
	}
	return nil
}
