package kernel

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/nlmsg"
)

// conn is a netlink socket of one family in the namespace it was opened in. Unlike
// nl's it has one buffer for its life: a large network takes tens of thousands
// of messages.
type conn struct {
	file *os.File
	raw  syscall.RawConn

	mu  sync.Mutex // held for a request and its answers
	seq uint32
	buf []byte
	// control is what comes beside a datagram.
	control [controlSize]byte
}

// bufferSize is more than the largest netlink datagram: the kernel makes none
// above 32 KiB (net/netlink/af_netlink.c, netlink_dump).
const bufferSize = 64 << 10

// receiveBuffer holds notifications while nobody reads, in bytes.
const receiveBuffer = 4 << 20

// dial opens a socket in the calling thread's namespace and joins groups.
func dial(protocol int, groups ...int) (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("open netlink socket", err)
	}
	file := os.NewFile(uintptr(fd), "netlink")
	c := &conn{file: file, buf: make([]byte, bufferSize)}
	if c.raw, err = file.SyscallConn(); err == nil {
		err = c.prepare(fd, groups)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink socket: %w", err), file.Close())
	}
	return c, nil
}

// prepare asks for the kernel's own words in errors, for filtered dumps, and for room.
func (c *conn) prepare(fd int, groups []int) error {
	set := func(level, option, value int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
	}
	err := errors.Join(
		set(unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		set(unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1),
		set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer),
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})),
	)
	for _, g := range groups {
		err = errors.Join(err, set(unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g))
	}
	return err
}

// join has the socket told of a group's notifications, too, or not any more.
func (c *conn) join(group int, in bool) error {
	option := unix.NETLINK_DROP_MEMBERSHIP
	if in {
		option = unix.NETLINK_ADD_MEMBERSHIP
	}
	var err error
	if e := c.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, option, group) }); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt", err)
}

func (c *conn) Close() error { return c.file.Close() }

// request sends a request and calls f with each answer, if any. f may not keep
// the message.
func (c *conn) request(message, flags int, f func(kind uint16, message []byte), data ...nl.NetlinkRequestData) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	r := nl.NetlinkRequest{NlMsghdr: unix.NlMsghdr{
		Len: unix.SizeofNlMsghdr, Type: uint16(message), Flags: uint16(unix.NLM_F_REQUEST | flags), Seq: c.seq,
	}, Data: data}
	if err := c.write(r.Serialize()); err != nil {
		return err
	}
	for {
		done, err := c.answers(f)
		if done || err != nil {
			return err
		}
	}
}

func (c *conn) write(b []byte) error {
	var err error
	if e := c.raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return err != unix.EAGAIN
	}); e != nil {
		return e
	}
	return os.NewSyscallError("send netlink message", err)
}

// read waits for a datagram; it is good until the next. from is the number of the
// namespace that it comes from, if that is not the socket's own.
func (c *conn) read() (b []byte, from int, err error) {
	var n, control int
	if e := c.raw.Read(func(fd uintptr) bool {
		n, control, _, _, err = unix.Recvmsg(int(fd), c.buf, c.control[:], 0)
		return err != unix.EAGAIN
	}); e != nil {
		return nil, 0, fmt.Errorf("%w: %w", os.ErrClosed, e) // the poller's own error is not that
	}
	return c.buf[:max(n, 0)], origin(c.control[:control]), os.NewSyscallError("receive netlink message", err)
}

// controlSize holds the number of a namespace beside a datagram, in bytes.
const controlSize = unix.SizeofCmsghdr + 8

// ownNamespace stands for the namespace that a socket is in.
const ownNamespace = -1

// origin is the number of the namespace that a datagram comes from
// (net/netlink/af_netlink.c, netlink_cmsg_listen_all_nsid).
func origin(control []byte) int {
	if len(control) < unix.SizeofCmsghdr {
		return ownNamespace
	}
	h, v, _, err := unix.ParseOneSocketControlMessage(control)
	if err != nil || h.Level != unix.SOL_NETLINK || h.Type != unix.NETLINK_LISTEN_ALL_NSID {
		return ownNamespace
	}
	return number(v[:min(4, len(v))])
}

// answers reads a datagram of answers to the last request; done when it was the last.
func (c *conn) answers(f func(uint16, []byte)) (done bool, err error) {
	b, _, err := c.read()
	if err != nil {
		return false, err
	}
	var interrupted bool
	nlmsg.Messages(b, func(h unix.NlMsghdr, m []byte) {
		if h.Seq != c.seq {
			return // of a request that was given up
		}
		interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
		switch h.Type {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			done, err = true, nlmsg.Error(h, m)
		default:
			f(h.Type, m)
			done = h.Flags&unix.NLM_F_MULTI == 0
		}
	})
	if interrupted && err == nil {
		err = errInterrupted
	}
	return done, err
}

// errInterrupted: something changed during a dump, so that entries may be missing
// or double.
var errInterrupted = errors.New("the host changed while it was read")
