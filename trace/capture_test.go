package trace

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/packet"
)

// wire is a veth between two namespaces; both ends are called u0, and nothing but
// the test speaks on it.
type wire struct{ a, b string }

func newWire(t *testing.T) wire {
	t.Helper()
	testenv.Need(t, "ip")
	w := wire{testenv.Namespace(t), testenv.Namespace(t)}
	testenv.Run(t, w.a, "ip", "link", "add", "u0", "type", "veth", "peer", "name", "u1")
	testenv.Run(t, w.a, "ip", "link", "set", "u1", "netns", w.b)
	testenv.Run(t, w.b, "ip", "link", "set", "u1", "name", "u0")
	for _, ns := range []string{w.a, w.b} {
		testenv.Run(t, ns, "ip", "link", "set", "u0", "addrgenmode", "none", "up")
	}
	for _, ns := range []string{w.a, w.b} {
		waitUp(t, ns, "u0")
	}
	return w
}

// waitUp waits until a link sends: before its carrier has been noticed, it drops
// without a word what is sent.
func waitUp(t *testing.T, ns, link string) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() error {
		if state := testenv.Output(t, ns, "ip", "-o", "link", "show", "dev", link); !strings.Contains(state, " state UP ") {
			return errors.New(state)
		}
		return nil
	}, link+" is up")
}

// in runs a function in a namespace.
func in(ns string) func(func() error) error {
	return func(f func() error) error { return netns.Do(ns, f) }
}

// listen opens a capture on u0 in a namespace for as long as the test runs.
func listen(t *testing.T, ns string, o Options) *Capture {
	t.Helper()
	o.Interface, o.Enter = "u0", in(ns)
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send puts frames on u0 in a namespace.
func send(t *testing.T, ns string, frames ...[]byte) {
	t.Helper()
	err := netns.Do(ns, func() error {
		index, err := interfaceIndex("u0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, frame := range frames {
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func interfaceIndex(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, err
	}
	return int(ifr.Uint32()), nil
}

// take waits for n frames.
func take(t *testing.T, c *Capture, n int) []Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []Frame
	for f, err := range c.Frames(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, f); len(got) == n {
			return got
		}
	}
	t.Fatalf("%d frames after ten seconds, want %d", len(got), n)
	return nil
}

func TestCaptureBothEnds(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	sender, receiver := listen(t, w.a, Options{}), listen(t, w.b, Options{})
	want := [][]byte{
		packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst),
		ends4.UDP(1, 2, make([]byte, 1400)),
		ends6.EchoRequest(1, 1, []byte("ping")),
	}
	before := time.Now()
	send(t, w.a, want...)
	for _, end := range []struct {
		c         *Capture
		direction Direction
	}{{sender, Out}, {receiver, In}} {
		for i, f := range take(t, end.c, len(want)) {
			if !bytes.Equal(f.Data, want[i]) || f.Length != len(want[i]) {
				t.Errorf("%s %d: %d bytes %x, want %x", end.direction, i, f.Length, f.Data, want[i])
			}
			if f.Direction != end.direction || f.Interface != "u0" {
				t.Errorf("%d: %s on %s, want %s", i, f.Direction, f.Interface, end.direction)
			}
			if f.Time.Before(before.Add(-time.Second)) || f.Time.After(time.Now().Add(time.Second)) {
				t.Errorf("%d: taken at %s, sent at %s", i, f.Time, before)
			}
		}
		if lost, err := end.c.Lost(); lost != 0 || err != nil {
			t.Errorf("lost %d, %v", lost, err)
		}
	}
}

func TestCaptureOfPorts(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{Ports: []uint16{4789, 8472}})
	wanted := [][]byte{ends4.UDP(1, 4789, []byte("a")), ends6.UDP(1, 4789, []byte("b")), ends4.UDP(1, 8472, []byte("c"))}
	send(t, w.a, wanted[0], ends4.UDP(4789, 1, nil), wanted[1],
		packet.ARPRequestFrame(ends4.SrcMAC, ends4.Src, ends4.Dst), ends4.TCP(packet.TCP{DstPort: 4789}, nil), wanted[2])
	for i, f := range take(t, c, len(wanted)) {
		if !bytes.Equal(f.Data, wanted[i]) {
			t.Errorf("%d: %x, want %x", i, f.Data, wanted[i])
		}
	}
}

func TestCaptureCutsFrames(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{SnapLen: 60, Ports: []uint16{4789}})
	frame := ends4.UDP(1, 4789, make([]byte, 1000))
	send(t, w.a, frame)
	if f := take(t, c, 1)[0]; !bytes.Equal(f.Data, frame[:60]) || f.Length != len(frame) {
		t.Errorf("%d bytes of %d, want 60 of %d", len(f.Data), f.Length, len(frame))
	}
}

// The kernel takes the tag out of a frame before anybody sees it; the capture puts it
// back.
func TestCaptureOfTaggedFrames(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{})
	plain := ends4.UDP(1, 2, make([]byte, 30))
	var want [][]byte
	for _, tpid := range []packet.EtherType{packet.TypeVLAN, packet.TypeQinQ} {
		tag := packet.VLAN{Priority: 3, ID: 100, Type: packet.TypeIPv4}
		want = append(want, slices.Concat(tag.Append(ethernet(ends4, tpid)), plain[packet.EthernetLen:]))
	}
	send(t, w.a, want...)
	for i, f := range take(t, c, len(want)) {
		if !bytes.Equal(f.Data, want[i]) || f.Length != len(want[i]) {
			t.Errorf("%d: %d bytes %x, want %x", i, f.Length, f.Data, want[i])
		}
	}
}

// The end of a loop is no error and loses nothing: the next one goes on.
func TestCaptureLoopsFollowEachOther(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{})
	for i := range byte(3) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			for _, err := range c.Frames(ctx) {
				ended <- err
				return
			}
			ended <- nil
		}()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("loop %d ended with %v", i, err)
		}
		frame := ends4.UDP(1, 2, []byte{i})
		send(t, w.a, frame)
		if f := take(t, c, 1)[0]; !bytes.Equal(f.Data, frame) {
			t.Errorf("frame %d is %x, want %x", i, f.Data, frame)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range c.Frames(ctx) {
		t.Error("a frame after the end")
	}
}

func TestCaptureOfAVanishingInterface(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{})
	testenv.Run(t, w.b, "ip", "link", "del", "u0")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var last error
	for _, last = range c.Frames(ctx) {
	}
	if !errors.Is(last, unix.ENETDOWN) || !strings.Contains(last.Error(), "capture on u0") {
		t.Errorf("ended with %v", last)
	}
}

func TestCaptureAfterClose(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, last = range c.Frames(t.Context()) {
	}
	if last == nil || !strings.Contains(last.Error(), "use of closed file") {
		t.Errorf("ended with %v", last)
	}
	if _, err := c.Lost(); err == nil || !strings.Contains(err.Error(), "use of closed file") {
		t.Errorf("lost: %v", err)
	}
}

func TestCaptureCountsLoss(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	c := listen(t, w.b, Options{})
	raw, err := c.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { // the kernel makes it what it must be at least
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	send(t, w.a, slices.Repeat([][]byte{ends4.UDP(1, 2, make([]byte, 1000))}, 50)...)
	// A veth delivers within the sender's call or shortly after.
	testenv.Eventually(t, 10*time.Second, func() error {
		lost, err := c.Lost()
		if err == nil && lost == 0 {
			return errors.New("nothing lost")
		}
		return err
	}, "frames lost")
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ip")
	ns := testenv.Namespace(t)
	testenv.Run(t, ns, "ip", "tuntap", "add", "tun0", "mode", "tun")
	tooMany := make([]uint16, maxPorts+1)
	for _, c := range []struct {
		name string
		o    Options
		is   error
		text string
	}{
		{"no such interface", Options{Interface: "nosuch"}, nil, "capture on nosuch: route ip+net: no such network interface"},
		{"tun", Options{Interface: "tun0"}, ErrNotEthernet, "capture on tun0: not an Ethernet interface"},
		{"no ports", Options{Interface: "lo", Ports: []uint16{}}, nil, "filter for 0 ports"},
		{"too many ports", Options{Interface: "lo", Ports: tooMany}, nil, "filter for 65 ports: want 1 to 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Enter = in(ns)
			got, err := Open(c.o)
			if got != nil || err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, %v, want %q", got, err, c.text)
			}
		})
	}
	_, err := Open(Options{Interface: "u0", Enter: in(ns + "-gone")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("namespace gone: %v", err)
	}
}

// Without Enter it is the calling thread's namespace: here, the test's own.
func TestCaptureOnLoopback(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	c, err := Open(Options{Interface: "lo"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
