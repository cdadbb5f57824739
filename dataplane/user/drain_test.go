package user

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/packet"
)

// Sockets and TUN links keep the order of their packets, and each is read by one goroutine. So
// when a token has come through, all that stood before it is out of the engine's hands.

// tokenOf is who sends tokens to a socket, and gets those out of a link.
func tokenOf(at netip.Addr) netip.Addr {
	if at.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// tokenTarget is an address that is routed nowhere else (RFC 5737).
var tokenTarget = netip.MustParseAddr("198.51.100.1")

// drain waits until the engine has nothing in its hands.
func (b *bed) drain() error {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	for _, s := range b.engine.sockets {
		if err := b.throughSocket(s); err != nil {
			return err
		}
	}
	for _, l := range b.engine.links {
		if way := l.out.Load(); way != nil && l.state() == nil {
			if err := throughLink(l, way); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bed) throughSocket(s *socket) error {
	from := tokenOf(s.at.Addr())
	of := *s.in.Load()
	token := of.peers[from]
	if token == nil {
		token = &inWay{&link{}, &traffic{}}
		of.peers = maps.Clone(of.peers)
		if of.peers == nil {
			of.peers = map[netip.Addr]*inWay{}
		}
		of.peers[from] = token
		s.in.Store(&of)
	}
	before := token.count.from.packets.Load()
	err := netns.Do(b.on.Namespace, func() error {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(s.at))
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("token"))
		return errors.Join(err, conn.Close())
	})
	if err != nil {
		return err
	}
	return until(func() bool { return token.count.from.packets.Load() > before }, "a socket")
}

func throughLink(l *link, way *outWay) error {
	to := tokenOf(way.by.at.Addr())
	if _, ok := way.peer(tokenTarget); !ok {
		c := l.carried
		c.Routes = append(c.Routes[:len(c.Routes):len(c.Routes)], kernel.CarriedRoute{Prefix: netip.PrefixFrom(tokenTarget, 32), Peer: to})
		l.out.Store(&outWay{newOutTable(c), way.by})
	}
	count := &l.counters.peer(to).to.packets
	before := count.Load()
	err := netns.Do(string(l.id.NS), func() error { return sendRaw(l.id.Name, token4(tokenTarget)) })
	if err != nil {
		return fmt.Errorf("send a token to %s: %w", l.id.Name, err)
	}
	return until(func() bool { return count.Load() > before }, "link "+l.id.Name)
}

// token4 is a packet to an address.
func token4(to netip.Addr) []byte {
	h := packet.IPv4{TotalLen: packet.IPv4MinLen, TTL: 1, Protocol: 253, Src: to, Dst: to} // RFC 3692
	return h.Append(nil)
}

// sendRaw sends an IPv4 packet out of a link of the calling thread's namespace, past all tables.
func sendRaw(device string, ip []byte) error {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	const ipv4InNetworkOrder = 0x0008
	err = unix.Sendto(fd, ip, 0, &unix.SockaddrLinklayer{Protocol: ipv4InNetworkOrder, Ifindex: link.Index})
	return errors.Join(os.NewSyscallError("sendto", err), unix.Close(fd))
}

// until asks until the answer is yes.
func until(yes func() bool, what string) error {
	for deadline := time.Now().Add(10 * time.Second); !yes(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("a token does not come through %s: %w", what, os.ErrDeadlineExceeded)
		}
		runtime.Gosched()
	}
	return nil
}
