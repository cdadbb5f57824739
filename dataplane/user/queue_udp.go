package user

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
)

// receiveBuffer holds packets while the forwarder is not scheduled, in bytes.
const receiveBuffer = 16 << 20

// profile is how a socket sends. All links of a socket have the same.
type profile struct {
	ttl        uint8 // 0: the host's default
	fragment   bool
	noChecksum bool
}

// udp is a socket, bound to an underlay address and a port.
type udp struct {
	conn *net.UDPConn
	// control are the messages that set the TOS of a packet sent, for each.
	control [256][]byte
	oob     []byte // of the one who reads
}

// openUDP opens a socket in the namespace at a path. The address need not be there yet.
func openUDP(namespace string, at netip.AddrPort, p profile) (*udp, error) {
	u := &udp{oob: make([]byte, 64)}
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp6"
	}
	for tos := range u.control {
		u.control[tos] = tosMessage(at.Addr().Is6(), uint8(tos))
	}
	err := netns.Do(namespace, func() error {
		listen := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
			failed := raw.Control(func(fd uintptr) { err = p.set(int(fd), at.Addr().Is6()) })
			return errors.Join(failed, err)
		}}
		conn, err := listen.ListenPacket(context.Background(), network, at.String())
		if err == nil {
			u.conn = conn.(*net.UDPConn)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open udp socket: %w", err)
	}
	return u, nil
}

// set sets a socket's options.
func (p profile) set(fd int, v6 bool) error {
	type option struct{ level, name, value int }
	options := []option{{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer}}
	discover := unix.IP_PMTUDISC_DO
	if p.fragment {
		discover = unix.IP_PMTUDISC_DONT
	}
	if v6 {
		options = append(options,
			option{unix.SOL_IPV6, unix.IPV6_FREEBIND, 1}, option{unix.SOL_IPV6, unix.IPV6_RECVTCLASS, 1},
			option{unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, discover},
			option{unix.SOL_UDP, unix.UDP_NO_CHECK6_RX, 1}) // RFC 6935
		if p.noChecksum {
			options = append(options, option{unix.SOL_UDP, unix.UDP_NO_CHECK6_TX, 1})
		}
		if p.ttl != 0 {
			options = append(options, option{unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, int(p.ttl)})
		}
	} else {
		options = append(options,
			option{unix.SOL_IP, unix.IP_FREEBIND, 1}, option{unix.SOL_IP, unix.IP_RECVTOS, 1},
			option{unix.SOL_IP, unix.IP_MTU_DISCOVER, discover})
		if p.noChecksum {
			options = append(options, option{unix.SOL_SOCKET, unix.SO_NO_CHECK, 1})
		}
		if p.ttl != 0 {
			options = append(options, option{unix.SOL_IP, unix.IP_TTL, int(p.ttl)})
		}
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError(fmt.Sprintf("setsockopt %d %d", o.level, o.name), err)
		}
	}
	return nil
}

// tosMessage is the control message that gives a packet a TOS; none for 0.
func tosMessage(v6 bool, tos uint8) []byte {
	if tos == 0 {
		return nil
	}
	level, kind := int32(unix.SOL_IP), int32(unix.IP_TOS)
	if v6 {
		level, kind = unix.SOL_IPV6, unix.IPV6_TCLASS
	}
	b := binary.NativeEndian.AppendUint64(nil, uint64(unix.CmsgLen(4))) // struct cmsghdr (socket.h)
	if unix.SizeofCmsghdr == 12 {
		b = binary.NativeEndian.AppendUint32(nil, uint32(unix.CmsgLen(4)))
	}
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(kind))
	b = binary.NativeEndian.AppendUint32(b, uint32(tos))
	return append(b, make([]byte, unix.CmsgSpace(4)-len(b))...)
}

func (u *udp) read(into []datagram) (int, error) {
	d := &into[0]
	n, control, _, from, err := u.conn.ReadMsgUDPAddrPort(d.room, u.oob)
	if err != nil {
		return 0, err
	}
	d.packet, d.peer, d.port, d.tos = d.room[:n], from.Addr().Unmap(), from.Port(), tosIn(u.oob[:control])
	return 1, nil
}

// tosIn is the TOS that came beside a packet.
func tosIn(control []byte) uint8 {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil || len(data) == 0 {
			return 0
		}
		switch {
		case h.Level == unix.SOL_IP && h.Type == unix.IP_TOS:
			return data[0]
		case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_TCLASS && len(data) >= 4:
			return uint8(binary.NativeEndian.Uint32(data))
		}
		control = rest
	}
	return 0
}

func (u *udp) write(all []datagram) (int, error) {
	for i, d := range all {
		if _, _, err := u.conn.WriteMsgUDPAddrPort(d.packet, u.control[d.tos], netip.AddrPortFrom(d.peer, d.port)); err != nil {
			return i, err
		}
	}
	return len(all), nil
}

// Close implements queue.
func (u *udp) Close() error { return u.conn.Close() }
