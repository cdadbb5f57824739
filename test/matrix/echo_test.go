package matrix

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
	"weft/packet"
)

// patience is how long an answer may take, and again the time after which it is asked for again:
// what asks for the way first may lose a packet.
const (
	patience = 30 * time.Second
	again    = 250 * time.Millisecond
)

// echo is a ping: a packet that nobody may take to pieces, and that is answered.
type echo struct {
	to netip.Addr
	// device is the one that it goes by, where the address does not say.
	device string
	// size is that of the IP packet, in bytes.
	size int
}

// tooBig says that a packet does not fit, and what would.
type tooBig struct{ mtu int }

func (e tooBig) Error() string { return fmt.Sprintf("it is told an MTU of %d", e.mtu) }

// headersOf are the lengths of a ping's headers.
var headersOf = map[overlay.Family]int{
	v4: packet.IPv4MinLen + packet.ICMPLen, v6: packet.IPv6Len + packet.ICMPLen,
}

// ask pings from a namespace until there is an answer. An ICMP error that says how large packets may
// be ends it, too, as tooBig; of others there may be some while the two ends come up.
func (e echo) ask(ns string) error { return e.askFor(ns, patience) }

// askFor has less patience.
func (e echo) askFor(ns string, patience time.Duration) (err error) {
	p := pinger{echo: e, fd: -1}
	if err := netns.Do(ns, func() error { return p.open() }); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(p.fd))) }()
	for start := time.Now(); ; {
		err := errors.Join(p.send(), p.wait(time.Now().Add(again)))
		var told tooBig
		if err == nil || errors.As(err, &told) || time.Since(start) > patience {
			return err
		}
	}
}

var errUnanswered = errors.New("there is no answer")

// pinger is a raw socket that pings.
type pinger struct {
	echo
	fd int
}

// pingID is what its packets are known by.
const pingID = 0x5745

func (p *pinger) open() (err error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	level, discover, errors := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_RECVERR
	if p.to.Is6() {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
		level, discover, errors = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_RECVERR
	}
	if p.fd, err = unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol); err != nil {
		return os.NewSyscallError("socket", err)
	}
	for _, o := range []struct{ level, name, value int }{
		{level, discover, unix.IP_PMTUDISC_PROBE}, // DF, and never mind what was said before
		{level, errors, 1},
		{unix.SOL_SOCKET, unix.SO_BROADCAST, 1},
	} {
		if err := unix.SetsockoptInt(p.fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if p.device == "" {
		return nil
	}
	return os.NewSyscallError("setsockopt", unix.BindToDevice(p.fd, p.device))
}

func (p *pinger) send() error {
	b := make([]byte, p.size-headersOf[overlay.FamilyOf(p.to)]+packet.ICMPLen)
	var to unix.Sockaddr
	if p.to.Is4() {
		copy(b, packet.ICMPv4{Type: packet.ICMPv4EchoRequest, Rest: pingID << 16}.Append(nil))
		binary.BigEndian.PutUint16(b[2:], packet.Checksum(b))
		to = &unix.SockaddrInet4{Addr: p.to.As4()}
	} else {
		copy(b, packet.ICMPv6{Type: packet.ICMPv6EchoRequest, Rest: pingID << 16}.Append(nil)) // the kernel has the checksum
		to = &unix.SockaddrInet6{Addr: p.to.As16()}
	}
	err := unix.Sendto(p.fd, b, 0, to)
	if err == unix.EMSGSIZE {
		return nil // the error queue says more
	}
	return os.NewSyscallError("sendto", err)
}

// wait is for an answer, until a deadline.
func (p *pinger) wait(deadline time.Time) error {
	b, oob := make([]byte, 1<<16), make([]byte, 512)
	for {
		poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, int(max(0, time.Until(deadline).Milliseconds()))); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		switch {
		case poll[0].Revents&unix.POLLERR != 0:
			_, n, _, _, err := unix.Recvmsg(p.fd, b, oob, unix.MSG_ERRQUEUE)
			if err != nil {
				return os.NewSyscallError("recvmsg", err)
			}
			return said(oob[:n])
		case poll[0].Revents&unix.POLLIN != 0:
			n, _, err := unix.Recvfrom(p.fd, b, 0)
			if err != nil {
				return os.NewSyscallError("recvfrom", err)
			}
			if p.isAnswer(b[:n]) {
				return nil
			}
		case time.Now().After(deadline):
			return errUnanswered
		}
	}
}

// isAnswer reports whether a packet is the answer to the ping, in its size.
func (p *pinger) isAnswer(b []byte) bool {
	want := p.size
	if p.to.Is4() {
		h, rest, err := packet.ParseIPv4(b)
		if err != nil || h.Protocol != packet.ProtoICMP || len(b) != want {
			return false
		}
		icmp, _, err := packet.ParseICMPv4(rest)
		id, _ := icmp.Echo()
		return err == nil && icmp.Type == packet.ICMPv4EchoReply && id == pingID
	}
	icmp, _, err := packet.ParseICMPv6(b)
	id, _ := icmp.Echo()
	return err == nil && icmp.Type == packet.ICMPv6EchoReply && id == pingID && len(b)+packet.IPv6Len == want
}

// said is the error that the kernel keeps beside a packet (ip(7), IP_RECVERR; struct
// sock_extended_err).
func said(oob []byte) error {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for _, m := range all {
		if len(m.Data) < 16 {
			continue
		}
		errno := unix.Errno(binary.NativeEndian.Uint32(m.Data))
		if errno == unix.EMSGSIZE {
			return tooBig{int(binary.NativeEndian.Uint32(m.Data[8:]))}
		}
		return errno
	}
	return errors.New("an error that says nothing")
}
