package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"weft/overlay"
	"weft/packet"
)

// ear hears the ARP and ND that stations behind a port say, which tells their
// addresses. It neither delays nor changes what it hears.
type ear struct {
	file *os.File
	raw  syscall.RawConn
}

// openEar listens to a link in the calling thread's namespace.
func openEar(link int) (*ear, error) {
	// Bound to no protocol until the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("open packet socket", err)
	}
	e := &ear{file: os.NewFile(uintptr(fd), "packet")}
	err = errors.Join(
		os.NewSyscallError("attach filter", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, resolutionFilter())),
		os.NewSyscallError("ignore outgoing", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)),
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link})),
	)
	if err == nil {
		e.raw, err = e.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(err, e.file.Close())
	}
	return e, nil
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// resolutionFilter takes ARP, RARP (which a hypervisor says for a guest that moved),
// and neighbour solicitations and advertisements.
func resolutionFilter() *unix.SockFprog {
	const (
		loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		end      = unix.BPF_RET | unix.BPF_K
	)
	program := []unix.SockFilter{
		{Code: loadHalf, K: 12},                      // EtherType
		{Code: equal, K: unix.ETH_P_ARP, Jt: 7},      // accept
		{Code: equal, K: unix.ETH_P_RARP, Jt: 6},     // accept
		{Code: equal, K: unix.ETH_P_IPV6, Jf: 6},     // else ignore
		{Code: loadByte, K: 14 + 6},                  // next header
		{Code: equal, K: unix.IPPROTO_ICMPV6, Jf: 4}, // else ignore
		{Code: loadByte, K: 14 + 40},                 // ICMPv6 type
		{Code: equal, K: 135, Jt: 1},                 // solicitation: accept
		{Code: equal, K: 136, Jf: 1},                 // advertisement; else ignore
		{Code: end, K: heardLength},                  // accept
		{Code: end},                                  // ignore
	}
	return &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
}

// heardLength is enough of a frame for what is read of it, in bytes.
const heardLength = 128

// run calls heard for every frame until the ear is closed or its link has gone.
func (e *ear) run(heard func(overlay.MAC, netip.Addr)) {
	buf := make([]byte, heardLength)
	for {
		var n int
		var err error
		closed := e.raw.Read(func(fd uintptr) bool {
			n, _, err = unix.Recvfrom(int(fd), buf, 0)
			return err != unix.EAGAIN
		})
		switch {
		case closed != nil:
			return
		case err == unix.ENETDOWN: // the link went down; it may come back
		case err != nil:
			return
		default:
			if mac, ip, ok := speaker(buf[:n]); ok {
				heard(mac, ip)
			}
		}
	}
}

// speaker is who says a frame, and what address it says it has, which is not valid
// when it says none.
func speaker(frame []byte) (mac overlay.MAC, ip netip.Addr, ok bool) {
	eth, rest, err := packet.ParseEthernet(frame)
	mac = overlay.MAC(eth.Src)
	if err != nil || !mac.IsUnicast() {
		return mac, ip, false
	}
	switch eth.Type {
	case packet.TypeARP:
		arp, _, err := packet.ParseARP(rest)
		if err == nil && overlay.MAC(arp.SenderMAC) == mac && isStationIP(arp.SenderIP) {
			ip = arp.SenderIP
		}
	case packet.TypeIPv6:
		ip = speakerIPv6(rest)
	}
	return mac, ip, true
}

func speakerIPv6(b []byte) netip.Addr {
	h, rest, err := packet.ParseIPv6(b)
	if err != nil || h.HopLimit != 255 { // RFC 4861 section 7.1: else it comes from elsewhere
		return netip.Addr{}
	}
	nd, _, err := packet.ParseND(rest)
	switch {
	case err != nil:
	case nd.Type == packet.ICMPv6NeighborAdvertisement || h.Src.IsUnspecified():
		// Its own address, or the one that it asks nobody else to have (RFC 4862 section 5.4).
		if isStationIP(nd.Target) {
			return nd.Target
		}
	case isStationIP(h.Src):
		return h.Src
	}
	return netip.Addr{}
}

func isStationIP(a netip.Addr) bool {
	return a.IsGlobalUnicast() || a.Is6() && a.IsLinkLocalUnicast()
}
