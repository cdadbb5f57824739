package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weft/lab"
)

// course is a way from one workload to another that is measured.
type course struct {
	name     string
	from, to *lab.Namespace
	address  netip.Addr // of to, IPv4
}

// The sender and all that softirqs do for it have one CPU, the receiver another:
// where the scheduler puts them would otherwise decide the figures.
const sendingCPU, receivingCPU = 0, 1

// probePort is the receiver's port, TCP and UDP.
const probePort = 7777

// pinned runs f on a thread of its own that stays on one CPU.
func pinned(cpu int, f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with f
		var set unix.CPUSet
		set.Set(cpu % runtime.NumCPU())
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			done <- fmt.Errorf("stay on CPU %d: %w", cpu, err)
			return
		}
		done <- f()
	}()
	return done
}

// socket opens a blocking socket in a namespace. Reads and writes give up after
// a while, so that a lost packet ends a measurement and not the run.
func socket(in *lab.Namespace, kind int) (fd int, err error) {
	err = in.Do(func() error {
		fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	patience := unix.Timeval{Sec: 2}
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
	)
	if kind == unix.SOCK_STREAM {
		// BBR, the default on some machines, paces; cubic sends what it can.
		err = errors.Join(err, unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic"))
	} else {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20))
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set socket options: %w", err)
	}
	return fd, nil
}

// sockets opens the receiving socket, bound, and the sending one.
func sockets(c course, kind int) (from, to int, err error) {
	if to, err = socket(c.to, kind); err != nil {
		return -1, -1, err
	}
	if err = unix.Bind(to, &unix.SockaddrInet4{Port: probePort}); err == nil {
		from, err = socket(c.from, kind)
	}
	if err != nil {
		unix.Close(to)
		return -1, -1, err
	}
	return from, to, nil
}

// connect connects the sending socket to the receiver's address. What a signal
// interrupts goes on by itself (connect(2), EINTR).
func (c course) connect(fd int) error {
	for {
		switch err := unix.Connect(fd, &unix.SockaddrInet4{Port: probePort, Addr: c.address.As4()}); err {
		case unix.EINTR, unix.EALREADY:
		case unix.EISCONN:
			return nil
		default:
			return err
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

// probeTCP returns the Gbit/s of one TCP stream that sends for as long as asked.
func probeTCP(c course, span time.Duration) (float64, error) {
	from, listener, err := sockets(c, unix.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(listener)
	if err := unix.Listen(listener, 1); err != nil {
		return 0, err
	}
	var took time.Duration
	received := 0
	receiver := pinned(receivingCPU, func() error {
		fd, _, err := unix.Accept(listener)
		for err == unix.EINTR {
			fd, _, err = unix.Accept(listener)
		}
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		began, buffer := time.Now(), make([]byte, 256<<10)
		for {
			n, err := again(unix.Read, fd, buffer)
			if n <= 0 || err != nil {
				took = time.Since(began)
				return err
			}
			received += n
		}
	})
	sender := pinned(sendingCPU, func() error {
		defer unix.Close(from)
		if err := c.connect(from); err != nil {
			return err
		}
		buffer := make([]byte, 128<<10)
		for end := time.Now().Add(span); time.Now().Before(end); {
			if _, err := again(unix.Write, from, buffer); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(<-sender, <-receiver); err != nil {
		return 0, fmt.Errorf("TCP, %s: %w", c.name, err)
	}
	return float64(received) * 8 / took.Seconds() / 1e9, nil
}

// smallPacket is the UDP payload of probeUDP, in bytes.
const smallPacket = 64

// probeUDP returns the thousands of small packets per second that arrive. The
// sender does all the work up to the receiver's socket itself, in softirqs, so
// that it sends no faster than the way goes.
func probeUDP(c course, span time.Duration) (float64, error) {
	from, to, err := sockets(c, unix.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(to)
	received := 0
	receiver := pinned(receivingCPU, func() error {
		buffer := make([]byte, 2*smallPacket)
		for {
			n, err := again(unix.Read, to, buffer)
			switch {
			case err != nil:
				return err
			case n < smallPacket: // the sender's last
				return nil
			}
			received++
		}
	})
	var took time.Duration
	sender := pinned(sendingCPU, func() error {
		defer unix.Close(from)
		if err := c.connect(from); err != nil {
			return err
		}
		began, buffer := time.Now(), make([]byte, smallPacket)
		for took < span {
			for range 64 {
				if _, err := again(unix.Write, from, buffer); err != nil {
					return err
				}
			}
			took = time.Since(began)
		}
		_, err := again(unix.Write, from, buffer[:1])
		return err
	})
	if err := errors.Join(<-sender, <-receiver); err != nil {
		return 0, fmt.Errorf("UDP, %s: %w", c.name, err)
	}
	return float64(received) / took.Seconds() / 1e3, nil
}

// probeLatency returns the median round trip of one byte, in microseconds.
func probeLatency(c course, span time.Duration) (float64, error) {
	from, to, err := sockets(c, unix.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(to)
	receiver := pinned(receivingCPU, func() error {
		buffer := make([]byte, 2)
		for {
			n, peer, err := unix.Recvfrom(to, buffer, 0)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 { // an empty one is the sender's last
				return err
			}
			if err := unix.Sendto(to, buffer[:n], 0, peer); err != nil {
				return err
			}
		}
	})
	var took []time.Duration
	sender := pinned(sendingCPU, func() error {
		defer unix.Close(from)
		if err := c.connect(from); err != nil {
			return err
		}
		buffer := make([]byte, 1)
		for end := time.Now().Add(span); time.Now().Before(end); {
			began := time.Now()
			if _, err := again(unix.Write, from, buffer); err != nil {
				return err
			}
			if _, err := again(unix.Read, from, buffer); err != nil {
				return err
			}
			took = append(took, time.Since(began))
		}
		_, err := again(unix.Write, from, nil)
		return err
	})
	if err := errors.Join(<-sender, <-receiver); err != nil {
		return 0, fmt.Errorf("latency, %s: %w", c.name, err)
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1e3, nil
}
