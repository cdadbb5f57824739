package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a read or a write may take: a packet that got lost ends a
// measurement, and not the run.
const patience = 2 * time.Second

// receiveBuffer is how much of UDP waits for its reader, in bytes: what comes while the
// reader's CPU does something else for a few milliseconds.
const receiveBuffer = 8 << 20

// socket opens a blocking socket in the place. A stream has the congestion control.
func (p Place) socket(family, kind int, congestion string) (fd int, err error) {
	err = p.do(func() error {
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if err := setOptions(fd, kind, congestion); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func setOptions(fd, kind int, congestion string) error {
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	err := errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait),
	)
	if kind == unix.SOCK_STREAM {
		if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion); err != nil {
			return fmt.Errorf("use congestion control %s: %w", congestion, err)
		}
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	} else if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		// Without CAP_NET_ADMIN the system's limit (net.core.rmem_max) cuts it.
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer))
	}
	if err != nil {
		return fmt.Errorf("set socket options: %w", err)
	}
	return nil
}

// receiver opens a socket that is bound to the address, at a port that the kernel
// chooses; one of streams listens.
func (p Place) receiver(at netip.Addr, kind int, congestion string) (fd int, port uint16, err error) {
	fd, err = p.socket(familyOf(at), kind, congestion)
	if err != nil {
		return -1, 0, err
	}
	if err = unix.Bind(fd, address(netip.AddrPortFrom(at, 0))); err == nil && kind == unix.SOCK_STREAM {
		err = unix.Listen(fd, MaxStreams)
	}
	if err == nil {
		port, err = portOf(fd)
	}
	if err != nil {
		return -1, 0, errors.Join(fmt.Errorf("receive at %v: %w", at, err), unix.Close(fd))
	}
	return fd, port, nil
}

// sender opens a socket that is connected to the address.
func (p Place) sender(to netip.AddrPort, kind int, congestion string) (int, error) {
	fd, err := p.socket(familyOf(to.Addr()), kind, congestion)
	if err != nil {
		return -1, err
	}
	if err := connect(fd, address(to)); err != nil {
		return -1, errors.Join(fmt.Errorf("connect to %v: %w", to, err), unix.Close(fd))
	}
	return fd, nil
}

// connect connects. What a signal interrupts goes on by itself (connect(2), EINTR).
func connect(fd int, to unix.Sockaddr) error {
	for {
		switch err := unix.Connect(fd, to); err {
		case unix.EINTR, unix.EALREADY:
		case unix.EISCONN:
			return nil
		default:
			return err
		}
	}
}

func accept(listener int) (int, error) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		switch err {
		case unix.EINTR:
		case nil:
			wait := unix.NsecToTimeval(patience.Nanoseconds())
			return fd, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
		default:
			return -1, fmt.Errorf("accept: %w", err)
		}
	}
}

// again repeats a system call that a signal ended: Go's scheduler sends some, and
// the kernel restarts none that has a timeout (signal(7)).
func again(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		if n, err := call(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func address(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func portOf(fd int) (uint16, error) {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	switch a := at.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port), nil
	case *unix.SockaddrInet6:
		return uint16(a.Port), nil
	}
	return 0, fmt.Errorf("socket has an address of another family: %T", at)
}
