package kernel

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setGRO has a link merge what it receives, or not (ethtool(8), -K).
type setGRO struct {
	ID LinkID
	On bool
}

func (o setGRO) String() string {
	return o.ID.NS.enter("ethtool", "-K", o.ID.Name, "gro", onOff(o.On))
}

func (o setGRO) do(h *hand) error {
	s, err := h.in(o.ID.NS)
	if err != nil {
		return err
	}
	value := uint32(0)
	if o.On {
		value = 1
	}
	_, err = s.feature(o.ID.Name, unix.ETHTOOL_SGRO, value)
	return err
}

// merges reports whether a link merges what it receives.
func (s *space) merges(name string) (bool, error) {
	value, err := s.feature(name, unix.ETHTOOL_GGRO, 0)
	return value != 0, err
}

// feature reads or sets one of a link's features (linux/ethtool.h, struct ethtool_value), by
// the socket's namespace, whatever its family (net/socket.c, sock_do_ioctl).
func (s *space) feature(name string, command, value uint32) (uint32, error) {
	v := struct{ command, value uint32 }{command, value}
	request := struct { // linux/if.h, struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&v)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	var errno unix.Errno
	err := s.raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	})
	runtime.KeepAlive(&v)
	if err == nil && errno != 0 {
		err = fmt.Errorf("features of link %s: %w", name, os.NewSyscallError("ioctl SIOCETHTOOL", errno))
	}
	return v.value, err
}
