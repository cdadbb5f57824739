package trace

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what a [Capture] listens to.
type Options struct {
	// Interface is the name of the Ethernet or loopback device. Required.
	Interface string
	// Enter runs a function in the network namespace of the interface; nil: in
	// the calling thread's. The namespace is not needed any more once the
	// capture is open.
	Enter func(func() error) error
	// Ports keeps IPv4 and IPv6 packets to these UDP ports; the kernel drops the
	// others before they are copied. Nil: every frame. At most 64.
	Ports []uint16
	// SnapLen cuts frames to this many bytes; 0 is 65535.
	SnapLen int
}

// ErrNotEthernet: the interface's frames have no Ethernet header.
var ErrNotEthernet = errors.New("not an Ethernet interface")

const (
	defaultSnapLen = 65535
	// receiveBuffer outlasts a burst of 10,000 small frames; its size is in bytes.
	receiveBuffer = 8 << 20
	// vlanTagLen is the tag that the kernel keeps beside the frame.
	vlanTagLen = 4
)

// Capture listens on one interface from the moment it is open: frames wait in the
// kernel until they are taken. It is for one goroutine at a time.
type Capture struct {
	file *os.File
	name string
	buf  []byte // for one frame
	oob  []byte // for what the kernel says beside it
}

// Open opens a packet socket (packet(7)); it needs CAP_NET_RAW. Close it.
func Open(o Options) (*Capture, error) {
	enter := o.Enter
	if enter == nil {
		enter = func(f func() error) error { return f() }
	}
	if o.SnapLen <= 0 || o.SnapLen > defaultSnapLen {
		o.SnapLen = defaultSnapLen
	}
	var c *Capture
	err := enter(func() (err error) {
		c, err = open(o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("capture on %s: %w", o.Interface, err)
	}
	return c, nil
}

func open(o Options) (*Capture, error) {
	link, err := net.InterfaceByName(o.Interface)
	if err != nil {
		return nil, err
	}
	// Protocol 0 receives nothing: not a frame before filter and interface are set.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &Capture{
		file: os.NewFile(uintptr(fd), "packet:"+o.Interface), name: o.Interface,
		buf: make([]byte, o.SnapLen), oob: make([]byte, 256),
	}
	if err := setUp(fd, link.Index, o); err != nil {
		c.file.Close()
		return nil, err
	}
	return c, nil
}

func setUp(fd, index int, o Options) error {
	if o.Ports != nil {
		program, err := portFilter(o.Ports)
		if err != nil {
			return err
		}
		if err := attachFilter(fd, program); err != nil {
			return err
		}
	}
	for _, option := range []struct {
		level, name, value int
		text               string
	}{
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1, "SO_TIMESTAMPNS_NEW"},
		{unix.SOL_PACKET, unix.PACKET_AUXDATA, 1, "PACKET_AUXDATA"},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer, "SO_RCVBUFFORCE"},
	} {
		err := unix.SetsockoptInt(fd, option.level, option.name, option.value)
		if err == unix.EPERM && option.name == unix.SO_RCVBUFFORCE { // needs CAP_NET_ADMIN
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
		if err != nil {
			return os.NewSyscallError("setsockopt "+option.text, err)
		}
	}
	all := &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: index}
	if err := unix.Bind(fd, all); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return checkEthernet(fd)
}

// checkEthernet asks for the device's type (ARPHRD_…), which bind has found.
func checkEthernet(fd int) error {
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	if l, ok := addr.(*unix.SockaddrLinklayer); !ok || l.Hatype != unix.ARPHRD_ETHER && l.Hatype != unix.ARPHRD_LOOPBACK {
		return ErrNotEthernet
	}
	return nil
}

// Close ends the capture.
func (c *Capture) Close() error { return c.file.Close() }

// Frames yields frames until ctx ends, which is no error, or the interface goes down or
// away, which is the last thing it yields. Loops over it may follow each other; no
// frame is lost in between.
func (c *Capture) Frames(ctx context.Context) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		stop := context.AfterFunc(ctx, func() { c.wake(time.Unix(1, 0)) })
		defer stop()
		for ctx.Err() == nil {
			f, err := c.receive()
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				if ctx.Err() == nil { // an earlier loop's end
					c.wake(time.Time{})
				}
			case err != nil:
				yield(Frame{}, fmt.Errorf("capture on %s: %w", c.name, err))
				return
			case !yield(f, nil):
				return
			}
		}
	}
}

// wake sets when receive gives up; never, with the zero time. A closed file has
// nobody to wake.
func (c *Capture) wake(at time.Time) { _ = c.file.SetReadDeadline(at) }

// Lost is how many frames did not fit the kernel's buffer since it was last asked.
func (c *Capture) Lost() (int, error) {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stats *unix.TpacketStats
	var statsErr error
	if err := raw.Control(func(fd uintptr) {
		stats, statsErr = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	}); err != nil {
		return 0, err
	}
	if statsErr != nil {
		return 0, os.NewSyscallError("getsockopt PACKET_STATISTICS", statsErr)
	}
	return int(stats.Drops), nil
}

// bigEndian is n in network byte order.
func bigEndian(n uint16) uint16 { return n<<8 | n>>8 }
