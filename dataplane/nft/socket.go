package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/nlmsg"
)

// socket is a netlink socket of nf_tables in one namespace. The kernel works while
// we send, so that every answer is there when we ask for it.
type socket struct {
	fd  int
	seq uint32
	buf []byte
}

// receiveBuffer holds the answers to one request, or the errors of one
// transaction; it is the kernel's memory only while they are there.
const receiveBuffer = 8 << 20

// patience is how long an answer may take, in seconds, which is there at once.
const patience = 10

func openSocket(ns string) (*socket, error) {
	s := &socket{fd: -1, buf: make([]byte, 64<<10)}
	err := netns.Do(ns, func() (err error) {
		s.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		return os.NewSyscallError("socket", err)
	})
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		err = fmt.Errorf("needs nf_tables (CONFIG_NF_TABLES): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open nf_tables: %w", err)
	}
	set := func(level, option, value int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(s.fd, level, option, value))
	}
	err = errors.Join(
		set(unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer),
		os.NewSyscallError("setsockopt", unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: patience})),
		s.bind(),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open nf_tables: %w", err), s.Close())
	}
	return s, nil
}

// Weft's sockets have port ids of their own, so that who listens to what changes can
// tell its own changes: above all process ids, and below the negative numbers,
// which the kernel gives (net/netlink/af_netlink.c, netlink_autobind).
const (
	ownPorts    = 0x77000000
	ownPortMask = 0xff000000
)

// Own reports whether a notification with this port id is of a change by a Conn.
func Own(port uint32) bool { return port&ownPortMask == ownPorts }

// Concerns reports whether a notification is about Weft's tables.
func Concerns(notification []byte) bool {
	ours := false
	if len(notification) > 4 {
		nlmsg.Attributes(notification[4:], func(kind uint16, v []byte) { // behind struct nfgenmsg
			// The table's name is the first attribute of all messages about one.
			ours = ours || kind == unix.NFTA_TABLE_NAME && nlmsg.Text(v) == TableName
		})
	}
	return ours
}

func (s *socket) bind() error {
	for tries := 0; ; tries++ {
		err := unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: ownPorts | rand.Uint32()&^ownPortMask})
		if !errors.Is(err, unix.EADDRINUSE) || tries == maxTries {
			return os.NewSyscallError("bind", err)
		}
	}
}

func (s *socket) Close() error { return os.NewSyscallError("close", unix.Close(s.fd)) }

// appendMessage adds a message to b: struct nlmsghdr, struct nfgenmsg, attributes.
func appendMessage(b []byte, kind, flags int, seq uint32, family Family, resource uint16, attrs []byte) []byte {
	const genmsg = 4
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.SizeofNlMsghdr+genmsg+len(attrs)))
	b = binary.NativeEndian.AppendUint16(b, uint16(kind))
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.NLM_F_REQUEST|flags))
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, byte(family), unix.NFNETLINK_V0)
	b = binary.BigEndian.AppendUint16(b, resource)
	return append(b, attrs...)
}

const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8

// transact applies messages, all or none. failed is the number of the first that the
// kernel refused.
func (s *socket) transact(messages []message) (failed int, err error) {
	first := s.seq + 1
	b := appendMessage(nil, unix.NFNL_MSG_BATCH_BEGIN, 0, s.seq, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	for i, m := range messages {
		flags := m.flags
		if i == len(messages)-1 {
			flags |= unix.NLM_F_ACK // so that there is an end to wait for
		}
		s.seq++
		b = appendMessage(b, subsystem|m.kind, flags, s.seq, m.family, 0, m.attributes)
	}
	s.seq++
	b = appendMessage(b, unix.NFNL_MSG_BATCH_END, 0, s.seq, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	if err := s.send(b); err != nil {
		return 0, err
	}
	failed = -1
	for last := false; !last; {
		rerr := s.receive(func(h unix.NlMsghdr, m []byte) {
			if h.Type != unix.NLMSG_ERROR || h.Seq < first-1 {
				return // of a transaction before
			}
			if e := nlmsg.Error(h, m); e != nil && err == nil {
				failed, err = int(h.Seq)-int(first), e
			}
			last = last || h.Seq >= s.seq-1 || h.Seq < first
		})
		if rerr != nil {
			return failed, rerr
		}
	}
	return failed, err
}

// dump calls f with each of the kernel's answers to a question.
func (s *socket) dump(kind int, family Family, attrs attributes, f func(family Family, attrs []byte)) error {
	s.seq++
	if err := s.send(appendMessage(nil, subsystem|kind, unix.NLM_F_DUMP, s.seq, family, 0, attrs)); err != nil {
		return err
	}
	return s.answers(f)
}

// ask calls f with the kernel's answer.
func (s *socket) ask(kind int, f func(family Family, attrs []byte)) error {
	s.seq++
	if err := s.send(appendMessage(nil, subsystem|kind, unix.NLM_F_ACK, s.seq, 0, 0, nil)); err != nil {
		return err
	}
	return s.answers(f)
}

// answers reads until the kernel says that it is done.
func (s *socket) answers(f func(family Family, attrs []byte)) error {
	var err error
	for done := false; !done; {
		rerr := s.receive(func(h unix.NlMsghdr, m []byte) {
			switch {
			case h.Seq != s.seq: // of a question before
			case h.Type == unix.NLMSG_ERROR, h.Type == unix.NLMSG_DONE:
				done, err = true, errors.Join(err, nlmsg.Error(h, m))
			case h.Flags&unix.NLM_F_DUMP_INTR != 0:
				err = errInterrupted
			case len(m) >= 4:
				f(Family(m[0]), m[4:])
			}
		})
		if rerr != nil {
			return rerr
		}
	}
	return err
}

// errInterrupted: the rules changed while they were read.
var errInterrupted = errors.New("rules changed while they were read")

func (s *socket) send(b []byte) error {
	// A transaction is one datagram, which has to fit.
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 2*len(b)+64<<10); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("send", unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// receive reads a datagram and calls f with its messages, without their headers.
func (s *socket) receive(f func(h unix.NlMsghdr, message []byte)) error {
	n, _, err := unix.Recvfrom(s.fd, s.buf, 0)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("receive", err)
	}
	nlmsg.Messages(s.buf[:n], f)
	return nil
}
