package interop

import (
	"errors"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// inject has a host's workload send frames as they are.
func (h *host) inject(frames ...[]byte) {
	h.Helper()
	inject(h, h.workload, "eth0", frames...)
}

// inject sends frames as they are by a device in a namespace.
func inject(t testing.TB, ns, device string, frames ...[]byte) {
	t.Helper()
	err := netns.Do(ns, func() (err error) {
		link, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))) }()
		for _, f := range frames {
			if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
				return os.NewSyscallError("sendto", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
