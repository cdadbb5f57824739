package ebpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// flow sends numbered UDP packets from one namespace to another, at a rate that does not
// wait for anybody.
type flow struct {
	from, to socket
	stop     atomic.Bool
	sent     uint64 // by the sender, until it is awaited
	failed   int    // of those, which the kernel did not take
	seen     []bool
	received uint64
	twice    int
	running  errgroup.Group
}

const (
	flowRate   = 10000 // packets per second
	flowBuffer = 64 << 20
	flowTick   = time.Millisecond
	// flowSilence is how long nothing has come when all has.
	flowSilence = 2 * time.Second
)

// socket is one of UDP.
type socket struct {
	fd   int
	ends unix.Sockaddr // the other end
}

func openSocket(t testing.TB, ns string, local, remote netip.Addr, port int) socket {
	t.Helper()
	s := socket{ends: &unix.SockaddrInet4{Port: port, Addr: remote.As4()}}
	if err := netns.Do(ns, func() (err error) {
		if s.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		silence := unix.NsecToTimeval(flowSilence.Nanoseconds())
		return errors.Join(
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, flowBuffer),
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, flowBuffer),
			unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &silence),
			unix.Bind(s.fd, &unix.SockaddrInet4{Port: port, Addr: local.As4()}))
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(s.fd); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startFlow sends from one end to the other until it is ended.
func startFlow(from, to socket) *flow {
	f := &flow{from: from, to: to}
	f.running.Go(func() error { return pinned(0, f.send) })
	f.running.Go(func() error { return pinned(1, f.receive) })
	return f
}

// pinned runs do on one of the CPUs.
func pinned(cpu int, do func() error) error {
	runtime.LockOSThread() // which ends with the goroutine
	var set unix.CPUSet
	set.Set(cpu % runtime.NumCPU())
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to a CPU: %w", err)
	}
	return do()
}

func (f *flow) send() error {
	tick := time.NewTicker(flowTick)
	defer tick.Stop()
	packet, began := make([]byte, 64), time.Now()
	for !f.stop.Load() {
		<-tick.C
		for due := uint64(time.Since(began) * flowRate / time.Second); f.sent < due; f.sent++ {
			binary.BigEndian.PutUint64(packet, f.sent)
			if err := unix.Sendto(f.from.fd, packet, 0, f.from.ends); err != nil {
				f.failed++
			}
		}
	}
	return nil
}

func (f *flow) receive() error {
	packet := make([]byte, 64)
	for {
		n, _, err := unix.Recvfrom(f.to.fd, packet, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN) && f.stop.Load():
			return nil
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("nothing has come for %s", flowSilence)
		case err != nil || n != len(packet):
			return fmt.Errorf("%d bytes: %w", n, err)
		default:
			f.count(binary.BigEndian.Uint64(packet))
		}
	}
}

func (f *flow) count(number uint64) {
	for uint64(len(f.seen)) <= number {
		f.seen = append(f.seen, false)
	}
	if f.seen[number] {
		f.twice++
	} else {
		f.received++
	}
	f.seen[number] = true
}

// end ends the flow, and says what was lost of it.
func (f *flow) end() error {
	f.stop.Store(true)
	err := f.running.Wait()
	if f.sent == 0 || f.received != f.sent || f.failed > 0 || f.twice > 0 {
		err = errors.Join(err, fmt.Errorf("of %d packets %d came, %d twice, %d were not sent; first missing %v",
			f.sent, f.received, f.twice, f.failed, f.missing(10)))
	}
	return err
}

// missing are the first so many that have not come.
func (f *flow) missing(most int) (numbers []int) {
	for i := 0; uint64(i) < f.sent && len(numbers) < most; i++ {
		if i >= len(f.seen) || !f.seen[i] {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// Without anything that disturbs it, a flow is whole; one that is cut for a moment is not.
func TestFlow(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	here, there := testenv.Namespace(t), testenv.Namespace(t)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	plug(t, here, a, there, b)
	whole := startFlow(openSocket(t, here, a, b, 4000), openSocket(t, there, b, a, 4000))
	testenv.Run(t, here, "ip", "link", "show")
	if err := whole.end(); err != nil {
		t.Error(err)
	}
	cut := startFlow(openSocket(t, here, a, b, 4001), openSocket(t, there, b, a, 4001))
	testenv.Run(t, there, "ip", "link", "set", "eth0", "down")
	testenv.Run(t, there, "ip", "link", "set", "eth0", "up")
	if err := cut.end(); err == nil {
		t.Error("nothing of a flow was lost that was cut")
	}
}

// plug connects two namespaces by their eth0, which know each other.
func plug(t testing.TB, one string, a netip.Addr, other string, b netip.Addr) {
	t.Helper()
	mac := map[string]string{one: "02:00:00:00:00:0a", other: "02:00:00:00:00:0b"}
	testenv.Run(t, one, "ip", "link", "add", "eth0", "address", mac[one], "type", "veth",
		"peer", "name", "eth0", "address", mac[other], "netns", filepath.Base(other))
	for _, end := range []struct {
		ns, far  string
		own, his netip.Addr
	}{{one, other, a, b}, {other, one, b, a}} {
		testenv.Run(t, end.ns, "ip", "address", "add", end.own.String()+"/24", "dev", "eth0")
		testenv.Run(t, end.ns, "ip", "link", "set", "eth0", "up")
		testenv.Run(t, end.ns, "ip", "neigh", "replace", end.his.String(), "lladdr", mac[end.far], "dev", "eth0", "nud", "permanent")
	}
}
