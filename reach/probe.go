package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/packet"
)

// asker asks a peer by ICMP echo (RFC 792, RFC 4443 section 4.1).
type asker struct {
	peer Peer
	// id tells this asker's questions from those of others (every raw socket gets all answers), seq one
	// question from the next.
	id, seq uint16
}

// errSilent: there was no answer in time.
var errSilent = errors.New("no answer in time")

// ask sends one question and waits for its answer until the timeout. It opens a socket each
// time: interface and namespace may have been made anew since the last.
func (a *asker) ask(ctx context.Context, timeout time.Duration) (time.Duration, error) {
	a.seq++
	target := a.peer.KeepAlive.Target
	c, err := a.open(target)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	sent := time.Now()
	if err := c.SetDeadline(sent.Add(timeout)); err != nil {
		return 0, err
	}
	if _, err := c.WriteTo(a.question(target), &net.IPAddr{IP: target.AsSlice(), Zone: target.Zone()}); err != nil {
		return 0, inWords(err)
	}
	b := make([]byte, 256)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = errSilent
			}
			return 0, err
		}
		ip, _ := netip.AddrFromSlice(from.(*net.IPAddr).IP)
		if ip.Unmap() == target.WithZone("") && a.isAnswer(target, b[:n]) {
			return time.Since(sent), nil
		}
	}
}

// open opens a raw socket where the peer is asked from.
func (a *asker) open(target netip.Addr) (net.PacketConn, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if target.Is6() {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	var fd int
	open := func() (err error) {
		fd, err = unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		return os.NewSyscallError("socket", err)
	}
	var err error
	if a.peer.Namespace == "" {
		err = open()
	} else {
		err = netns.Do(a.peer.Namespace, open)
	}
	if err != nil {
		return nil, fmt.Errorf("open a socket for ICMP: %w", err)
	}
	f := os.NewFile(uintptr(fd), "icmp")
	defer f.Close() // FilePacketConn has a copy
	if a.peer.Device != "" {
		if err := unix.BindToDevice(fd, a.peer.Device); err != nil {
			return nil, inWords(err)
		}
	}
	return net.FilePacketConn(f)
}

func inWords(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return errors.New("the interface is not there")
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETDOWN):
		return errors.New("there is no way to it through the tunnel")
	}
	return err
}

func (a *asker) question(target netip.Addr) []byte {
	rest := uint32(a.id)<<16 | uint32(a.seq)
	if target.Is6() {
		// The kernel fills in the checksum (RFC 3542 section 3.1).
		return packet.ICMPv6{Type: packet.ICMPv6EchoRequest, Rest: rest}.Append(nil)
	}
	b := packet.ICMPv4{Type: packet.ICMPv4EchoRequest, Rest: rest}.Append(nil)
	sum := packet.Checksum(b)
	b[2], b[3] = byte(sum>>8), byte(sum)
	return b
}

// isAnswer reads what a raw socket gives: for IPv4 the net package takes off the IP header.
func (a *asker) isAnswer(target netip.Addr, b []byte) bool {
	var id, seq uint16
	if target.Is6() {
		h, _, err := packet.ParseICMPv6(b)
		if err != nil || h.Type != packet.ICMPv6EchoReply {
			return false
		}
		id, seq = h.Echo()
	} else {
		h, _, err := packet.ParseICMPv4(b)
		if err != nil || h.Type != packet.ICMPv4EchoReply {
			return false
		}
		id, seq = h.Echo()
	}
	return id == a.id && seq == a.seq
}
