package matrix

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/packet"
	"weft/trace"
)

// testbed is Weft's host, its peer, and the wire between them.
type testbed struct {
	weft    *host
	partner peer
	// behind is the namespace of a host that has Weft's for its router.
	behind string
	wire   *wire
	last   group
}

// newBed makes a bed with a peer, which a function makes who is given the wire.
func newBed(t *testing.T, newPeer func(testing.TB, string) peer) *testbed {
	t.Helper()
	testenv.Need(t, "ethtool")
	ns := testenv.Namespace(t)
	testenv.Run(t, ns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	testenv.Run(t, ns, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	testenv.Run(t, ns, "ip", "link", "set", "br0", "up")
	host := plug(t, ns, "near")
	testenv.Run(t, host, "sh", "-ec", underlay(near))
	for _, f := range families { // whatever is sent there is seen
		testenv.Run(t, host, "ip", "neigh", "add", stranger(f).String(), "lladdr", "02:00:00:00:00:77", "dev", "eth0", "nud", "permanent")
	}
	answerAll(t, host)
	b := &testbed{weft: newHost(t, host), behind: testenv.Namespace(t), wire: newWire(t, ns, "near")}
	b.route(t)
	b.partner = newPeer(t, ns)
	t.Cleanup(b.last.leave)
	return b
}

// Weft's host and the one behind it.
var (
	router4, behind4 = netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("198.51.100.2/24")
	router6, behind6 = netip.MustParsePrefix("2001:db8:1::1/64"), netip.MustParsePrefix("2001:db8:1::2/64")
)

// route has Weft's host be the router of the one behind it.
func (b *testbed) route(t testing.TB) {
	t.Helper()
	testenv.Run(t, b.weft.ns, "sh", "-ec", `
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add behind type veth peer name eth0 netns `+filepath.Base(b.behind)+`
ip address add `+router4.String()+` dev behind
ip address add `+router6.String()+` dev behind nodad
ip link set behind up`)
	testenv.Run(t, b.behind, "sh", "-ec", `
ip address add `+behind4.String()+` dev eth0
ip address add `+behind6.String()+` dev eth0 nodad
ip link set eth0 up
ip route add default via `+router4.Addr().String()+`
ip route add default via `+router6.Addr().String())
}

// wire is a port of the wire's, Weft's: what passes is captured, and frames can be sent to Weft's
// host that seem to come from its peer.
type wire struct {
	*trace.Capture
	socket  int
	markers uint64
}

func newWire(t testing.TB, ns, port string) *wire {
	t.Helper()
	capture, err := trace.Open(trace.Options{Interface: port, Enter: func(f func() error) error { return netns.Do(ns, f) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, capture.Close()) })
	w := &wire{Capture: capture}
	if err := netns.Do(ns, func() (err error) {
		w.socket, err = packetSocket(port)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, os.NewSyscallError("close", unix.Close(w.socket))) })
	return w
}

// packetSocket sends frames by a device, as they are.
func packetSocket(device string) (fd int, err error) {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return -1, err
	}
	if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	return fd, os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}))
}

// inject sends a frame to Weft's host.
func (w *wire) inject(t testing.TB, frame []byte) {
	t.Helper()
	if _, err := unix.Write(w.socket, frame); err != nil {
		t.Fatal(os.NewSyscallError("write", err))
	}
}

// markerType is one for experiments (IEEE 802), which no host answers.
const markerType packet.EtherType = 0x88b5

// passed are the frames that have passed by now and were not asked for before.
func (w *wire) passed(t testing.TB) (all []trace.Frame) {
	t.Helper()
	w.markers++
	marker := binary.BigEndian.AppendUint64(packet.Ethernet{Type: markerType}.Append(nil), w.markers)
	w.inject(t, append(marker, make([]byte, 46)...))
	w.until(t, func(f trace.Frame) bool {
		if bytes.HasPrefix(f.Data, marker) {
			return true
		}
		all = append(all, f)
		return false
	})
	if lost, err := w.Lost(); err != nil || lost > 0 {
		t.Fatalf("%d frames did not fit the capture: %v", lost, err)
	}
	return all
}

// until reads frames until one is the last.
func (w *wire) until(t testing.TB, last func(trace.Frame) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for f, err := range w.Frames(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if last(f) {
			return
		}
	}
	t.Fatal("the packet that is waited for has not passed")
}
