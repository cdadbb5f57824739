package trace

import (
	"maps"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/testenv"
	"weft/packet"
)

// filtered sends frames through a pair of local sockets of which the receiving one
// has the filter, and returns the indexes of those that came through.
func filtered(t *testing.T, program []unix.SockFilter, frames [][]byte) []int {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(fds[0]), "in"), os.NewFile(uintptr(fds[1]), "out")
	defer in.Close()
	defer out.Close()
	if err := attachFilter(fds[1], program); err != nil {
		t.Fatal(err)
	}
	var through []int
	buf := make([]byte, 2000)
	for i, frame := range frames {
		// A datagram that the filter drops is sent successfully.
		if _, err := unix.Write(fds[0], frame); err != nil && err != unix.EPERM {
			t.Fatal(err)
		}
		n, err := unix.Read(fds[1], buf)
		if err == unix.EAGAIN {
			continue
		}
		if err != nil || n != len(frame) {
			t.Fatalf("frame %d: %d bytes, %v", i, n, err)
		}
		through = append(through, i)
	}
	return through
}

func TestPortFilter(t *testing.T) {
	t.Parallel()
	const port = 4789
	udp4, udp6 := ends4.UDP(1, port, []byte("x")), ends6.UDP(1, port, []byte("x"))
	withOptions, err := packet.MakeOptions(make([]byte, packet.MaxOptions))
	if err != nil {
		t.Fatal(err)
	}
	eth, b, _ := packet.ParseEthernet(udp4)
	h, segment, _ := packet.ParseIPv4(b)
	rebuilt := func(change func(*packet.IPv4)) []byte {
		h := h
		change(&h)
		return append(h.Append(eth.Append(nil)), segment...)
	}
	cases := []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"v4", udp4, true},
		{"v6", udp6, true},
		{"the other port", ends4.UDP(1, 8472, nil), true},
		{"the other port, v6", ends6.UDP(1, 8472, nil), true},
		{"IPv4 options", rebuilt(func(h *packet.IPv4) { h.Options = withOptions }), true},
		{"first fragment", rebuilt(func(h *packet.IPv4) { h.Flags = packet.MoreFragments }), true},
		{"later fragment", rebuilt(func(h *packet.IPv4) { h.FragOffset = 8 }), false},
		{"from the port", ends4.UDP(port, 1, nil), false},
		{"from the port, v6", ends6.UDP(port, 1, nil), false},
		{"next port", ends4.UDP(1, port+1, nil), false},
		{"TCP", ends4.TCP(packet.TCP{DstPort: port}, nil), false},
		{"TCP, v6", ends6.TCP(packet.TCP{DstPort: port}, nil), false},
		{"ARP", packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst), false},
		{"cut off before the port", udp4[:35], false},
		{"cut off before the port, v6", udp6[:55], false},
		{"short", udp4[:13], false},
	}
	program, err := portFilter([]uint16{port, 8472})
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for _, c := range cases {
		frames = append(frames, c.frame)
	}
	through := filtered(t, program, frames)
	for i, c := range cases {
		if slices.Contains(through, i) != c.want {
			t.Errorf("%s: passes %v, want %v", c.name, !c.want, c.want)
		}
	}
}

// With as many ports as there may be, the jumps still reach: each port is found, and
// no other.
func TestPortFilterWithManyPorts(t *testing.T) {
	t.Parallel()
	var ports []uint16
	var frames [][]byte
	for i := range uint16(maxPorts) {
		ports = append(ports, 1000+2*i)
		frames = append(frames, ends4.UDP(1, 1000+2*i, nil), ends4.UDP(1, 1001+2*i, nil), ends6.UDP(1, 1000+2*i, nil), ends6.UDP(1, 1001+2*i, nil))
	}
	program, err := portFilter(ports)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range filtered(t, program, frames) {
		if want := 2 * i; got != want {
			t.Fatalf("frame %d comes through where %d should", got, want)
		}
	}
}

func TestPortFilterRefuses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, maxPorts + 1} {
		if _, err := portFilter(make([]uint16, n)); err == nil {
			t.Errorf("%d ports are accepted", n)
		}
	}
}

// The kernel's own VXLAN packets, by the filter and by Decode: they agree.
func TestPortFilterAgreesWithDecode(t *testing.T) {
	t.Parallel()
	all := testenv.Frames(t, "../encap/testdata/frames.txt")
	names := slices.Sorted(maps.Keys(all))
	var frames [][]byte
	for _, name := range names {
		frames = append(frames, all[name])
	}
	program, err := portFilter([]uint16{4790})
	if err != nil {
		t.Fatal(err)
	}
	through := filtered(t, program, frames)
	for i, name := range names {
		_, decoded := Find(Decode(frames[i], 4790), VXLAN, 0)
		if slices.Contains(through, i) != decoded {
			t.Errorf("%s: filter %v, decoded %v", name, !decoded, decoded)
		}
	}
}
