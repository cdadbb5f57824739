package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Burst sends UDP packets with payloads of size bytes as fast as it can, to whoever
// hears them: to may be a broadcast address. It returns how many were sent, with the
// time that all CPUs of this host were busy meanwhile.
func (p Place) Burst(to netip.AddrPort, size int, span time.Duration) (Packets, error) {
	var sent Packets
	used, err := beginUsage()
	if err != nil {
		return sent, err
	}
	err = <-p.thread(func() error {
		fd, err := p.socket(familyOf(to.Addr()), unix.SOCK_DGRAM, "")
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1), connect(fd, address(to))); err != nil {
			return fmt.Errorf("connect to %v: %w", to, err)
		}
		buffers := newPackets(size)
		for began := time.Now(); ; {
			n, err := buffers.send(fd, 1) // time passes while one goes to many
			if err != nil && err != unix.ENOBUFS {
				return fmt.Errorf("send to %v: %w", to, err)
			}
			sent.Sent += int64(n)
			if time.Since(began) >= span {
				return nil
			}
		}
	})
	if err != nil {
		return sent, err
	}
	sent.CPU, sent.Clock, err = used.end()
	return sent, err
}
