package trace

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"weft/packet"
)

// maxPorts keeps the filter's jumps within their 8 bits.
const maxPorts = 64

// portFilter is the classic BPF program of "udp dst port A or B …" for untagged IPv4
// and IPv6 frames: later fragments, which have no ports, and extension headers are
// left out. It is what tcpdump -d prints, with one comparison for each port at the
// end:
//
//	 0  ldh  [12]             EtherType
//	 1  jeq  #0x86dd, 2, 4
//	 2  ldb  [20]             next header
//	 3  jeq  #17, 12, drop
//	 4  jeq  #0x0800, 5, drop
//	 5  ldb  [23]             protocol
//	 6  jeq  #17, 7, drop
//	 7  ldh  [20]             flags and fragment offset
//	 8  jset #0x1fff, drop, 9
//	 9  ldxb 4*([14]&0xf)     header length
//	10  ldh  [x + 16]         destination port
//	11  ja   13
//	12  ldh  [56]             destination port
//	13  jeq  #4789, accept, 14
//	…
func portFilter(ports []uint16) ([]unix.SockFilter, error) {
	if len(ports) == 0 || len(ports) > maxPorts {
		return nil, fmt.Errorf("filter for %d ports: want 1 to %d", len(ports), maxPorts)
	}
	const (
		first  = 13 // instruction of the first port's comparison
		load8  = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		load16 = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		portV4 = packet.EthernetLen + 2
		portV6 = packet.EthernetLen + packet.IPv6Len + 2
	)
	drop := first + len(ports)
	to := func(from, target int) uint8 { return uint8(target - from - 1) }
	program := []unix.SockFilter{
		{Code: load16, K: 12},
		{Code: equal, K: uint32(packet.TypeIPv6), Jt: 0, Jf: to(1, 4)},
		{Code: load8, K: packet.EthernetLen + 6},
		{Code: equal, K: uint32(packet.ProtoUDP), Jt: to(3, 12), Jf: to(3, drop)},
		{Code: equal, K: uint32(packet.TypeIPv4), Jt: 0, Jf: to(4, drop)},
		{Code: load8, K: packet.EthernetLen + 9},
		{Code: equal, K: uint32(packet.ProtoUDP), Jt: 0, Jf: to(6, drop)},
		{Code: load16, K: packet.EthernetLen + 6},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x1fff, Jt: to(8, drop), Jf: 0},
		{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: packet.EthernetLen},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: portV4},
		{Code: unix.BPF_JMP | unix.BPF_JA, K: 1},
		{Code: load16, K: portV6},
	}
	for i, port := range ports {
		program = append(program, unix.SockFilter{Code: equal, K: uint32(port), Jt: to(first+i, drop+1)})
	}
	return append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
	), nil
}

func attachFilter(fd int, program []unix.SockFilter) error {
	prog := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER",
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, prog))
}
