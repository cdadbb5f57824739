package stock

import (
	"errors"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// inject sends a frame, given in parts, by a device of a namespace.
func inject(ns, device string, frame ...[]byte) error {
	return netns.Do(ns, func() (err error) {
		link, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))) }()
		return os.NewSyscallError("sendto", unix.Sendto(fd, slices.Concat(frame...), 0, &unix.SockaddrLinklayer{Ifindex: link.Index}))
	})
}
