package nft

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// wires are the far ends of devices of a bed: what is written there the device
// receives.
type wires struct {
	*bed
	far string // namespace of the far ends
	fds map[string]int
}

// newWires makes a bed with devices that are up, and silent but for us.
func newWires(t testing.TB, devices ...string) *wires {
	t.Helper()
	w := &wires{bed: newBed(t), far: testenv.Namespace(t), fds: map[string]int{}}
	w.quiet(w.far)
	for _, d := range devices {
		testenv.Run(t, w.ns, "ip", "link", "add", d, "type", "veth", "peer", "name", d, "netns", w.far)
		testenv.Run(t, w.ns, "ip", "link", "set", d, "up")
		testenv.Run(t, w.far, "ip", "link", "set", d, "up", "arp", "off")
		w.open(d)
	}
	return w
}

// quiet keeps a namespace's own IPv6 from saying anything.
func (w *wires) quiet(ns string) {
	w.Helper()
	testenv.Run(w, ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
}

func (w *wires) open(device string) {
	w.Helper()
	err := netns.Do(w.far, func() error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		w.fds[device] = fd
		w.Cleanup(func() { _ = unix.Close(fd) })
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index}))
	})
	if err != nil {
		w.Fatal(err)
	}
}

// witness has the tool count what gets past our chain: in a table of its own, behind.
func (w *wires) witness(family, hook string) {
	w.Helper()
	w.nft("add table " + family + " witness; add counter " + family + " witness passed")
	w.nft("add chain " + family + " witness " + identifier(hook) + " { type filter hook " + hook + " priority 0; }")
	w.nft("add rule " + family + " witness " + identifier(hook) + " counter name passed")
}

// passed is the fate of a frame that is not dropped; that of others is the name of
// the counter that counted it.
const passed = "passed"

// counted reads all counters but those that are 0.
func (w *wires) counted() map[string]uint64 {
	w.Helper()
	counts := map[string]uint64{}
	out := testenv.Output(w, w.ns, "nft", "list", "counters")
	for _, m := range regexp.MustCompile(`counter (\S+) \{\s+packets (\d+)`).FindAllStringSubmatch(out, -1) {
		n, err := strconv.ParseUint(m[2], 10, 64)
		if err != nil {
			w.Fatal(err)
		}
		if n > 0 {
			counts[m[1]] += n
		}
	}
	return counts
}

// send has a device receive frames, and fails the test unless all of them are
// counted by these counters and by no other, each once.
func (w *wires) send(device string, frames [][]byte, fate ...string) {
	w.Helper()
	want := w.counted()
	for _, f := range fate {
		want[f]++
	}
	for _, frame := range frames {
		if _, err := unix.Write(w.fds[device], frame); err != nil {
			w.Fatalf("send %x: %v", frame, err)
		}
	}
	if err := w.await(want); err != nil {
		w.Errorf("%x on %s: %v", frames, device, err)
	}
}

// await waits until the counters are as wanted. More than is wanted comes at once.
func (w *wires) await(want map[string]uint64) error {
	w.Helper()
	var err error
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); {
		got := w.counted()
		if err = equal(want, got); err == nil {
			return nil
		}
	}
	return err
}

func equal(want, got map[string]uint64) error {
	var errs []error
	for name := range want {
		if got[name] != want[name] {
			errs = append(errs, fmt.Errorf("%s: %d, want %d", name, got[name], want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			errs = append(errs, fmt.Errorf("%s: %d, want none", name, got[name]))
		}
	}
	return errors.Join(errs...)
}
