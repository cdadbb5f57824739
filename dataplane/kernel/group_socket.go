package kernel

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// A call is a frame to an address that no bridge forwards (IEEE 802.1Q table 8-1, nearest bridge): it
// passes the tunnel as any broadcast does, and no workload sees it. Behind the Ethernet
// header are callMagic, the VNI in four bytes, and the node's name, of which one byte says
// the length.
var (
	callAddress = overlay.MAC{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}
	callMagic   = []byte("weft call 1\n")
)

const (
	// callType is IEEE's for local experiments (RFC 9542 appendix B.2).
	callType    = 0x88b5
	ethernetLen = 14
	// callLen is that of the longest call, and of the shortest that Ethernet has.
	callLen = 128
)

// callSocket is a packet socket on the bridge's port to other nodes. The nil one is none.
type callSocket struct {
	fd, link int
	name     string
	mac      overlay.MAC
}

// openCall opens one on a link; nil if there is no such link yet.
func openCall(ns NS, name string) *callSocket {
	s := &callSocket{fd: -1, name: name}
	err := netns.Do(string(ns), func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		s.link, s.mac = link.Index, overlay.MAC(link.HardwareAddr)
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			return err
		}
		return unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(callType), Ifindex: link.Index})
	})
	if err != nil {
		s.close()
		return nil // not yet, or not any more: the next round tries again
	}
	return s
}

func (s *callSocket) close() {
	if s != nil && s.fd >= 0 {
		_ = unix.Close(s.fd) // there is nothing to lose
		s.fd = -1
	}
}

// stale reports whether the socket's link is not that port any more.
func (s *callSocket) stale() bool {
	if s == nil || s.fd < 0 {
		return true
	}
	request, err := unix.NewIfreq(s.name)
	if err == nil {
		err = unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, request)
	}
	return err != nil || int(request.Uint32()) != s.link
}

// call says that a node is there. What cannot be sent now is said again soon.
func (s *callSocket) call(v overlay.VNI, self overlay.NodeName) {
	_ = unix.Sendto(s.fd, callFrame(s.mac, v, self), 0, &unix.SockaddrLinklayer{Ifindex: s.link, Protocol: networkOrder(callType)})
}

// heard are the nodes that have called since it was asked.
func (s *callSocket) heard(v overlay.VNI) (nodes []overlay.NodeName) {
	buf := make([]byte, callLen)
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, unix.MSG_DONTWAIT)
		if err != nil {
			return nodes // nothing is left
		}
		if node, ok := parseCall(buf[:n], v); ok {
			nodes = append(nodes, node)
		}
	}
}

func callFrame(from overlay.MAC, v overlay.VNI, self overlay.NodeName) []byte {
	f := append(callAddress[:], from[:]...)
	f = binary.BigEndian.AppendUint16(f, callType)
	f = binary.BigEndian.AppendUint32(append(f, callMagic...), uint32(v))
	f = append(append(f, byte(len(self))), self...)
	return append(f, make([]byte, callLen-len(f))...)
}

// parseCall is who calls in a network; false for whatever else comes.
func parseCall(frame []byte, v overlay.VNI) (overlay.NodeName, bool) {
	head := ethernetLen + len(callMagic) + 4
	if len(frame) <= head || !bytes.Equal(frame[ethernetLen:head-4], callMagic) || binary.BigEndian.Uint32(frame[head-4:]) != uint32(v) {
		return "", false
	}
	name := frame[head+1:]
	length := int(frame[head])
	if length > len(name) || overlay.CheckName("node", string(name[:length])) != nil {
		return "", false
	}
	return overlay.NodeName(strings.Clone(string(name[:length]))), true
}
