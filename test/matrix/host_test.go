package matrix

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"weft/dataplane"
	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/dataplane/user"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// host is one of Weft's, with all planes on it. A network's endpoint there is in its workload.
type host struct {
	ns, workload string
	plane        dataplane.Plane
	// domains is the folder of its networks' namespaces.
	domains string
}

// newHost makes one whose planes forward in a namespace, until the test ends.
func newHost(t testing.TB, ns string) *host {
	t.Helper()
	h := &host{ns: ns, workload: testenv.Namespace(t), domains: filepath.Join(t.TempDir(), "netns")}
	answerAll(t, h.workload)
	pins := filepath.Join(t.TempDir(), testenv.Name(t, "bpf"))
	t.Cleanup(func() { check(t, ebpf.Remove(pins, ns)) })
	programs, err := ebpf.OnDemand(ebpf.Options{Dir: pins, Host: ns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, programs.Close()) })
	engine := user.NewEngine(ns, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { check(t, engine.Close()) })
	plane, err := kernel.New(kernel.Options{NetnsDir: h.domains, StateDir: t.TempDir(), Host: ns, Programs: programs, Carrier: engine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		check(t, plane.Close())
		all, err := netns.List(h.domains)
		check(t, err)
		for _, name := range all {
			check(t, netns.Delete(filepath.Join(h.domains, name)))
		}
	})
	h.plane = plane
	return h
}

// answerAll has a namespace answer pings to everybody, too.
func answerAll(t testing.TB, ns string) {
	t.Helper()
	testenv.Run(t, ns, "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_broadcasts=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
	testenv.Run(t, ns, "ip", "link", "set", "lo", "up")
}

// forward has it forward a row, and nothing else.
func (h *host) forward(t testing.TB, r row, side int) {
	t.Helper()
	if err := h.plane.Apply(context.Background(), r.state(t, side, h.workload), nil); err != nil {
		t.Fatal(err)
	}
}

// end is where the row's address is: in the workload, or on the host itself.
func (h *host) end(r row) string {
	if r.form == alone {
		return h.ns
	}
	return h.workload
}

// drops are what the plane has counted by now, of the row and of what belongs to nobody.
func (h *host) drops(t testing.TB) overlay.Drops {
	t.Helper()
	seen, err := h.plane.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := overlay.Drops{}
	add := func(of map[overlay.DropReason]uint64) {
		for why, n := range of {
			all[why] += n
		}
	}
	add(seen.Drops)
	for _, v := range seen.Networks {
		add(v.Drops)
	}
	for _, v := range seen.Tunnels {
		add(v.Drops)
	}
	return all
}

// asWanted fails unless all that is to be there is, and nothing else.
func (h *host) asWanted() error {
	seen, err := h.plane.Compare(context.Background())
	var errs []error
	look := func(what string, v dataplane.NetworkView) {
		if v.Wanted != v.Present || len(v.Differs) > 0 {
			errs = append(errs, fmt.Errorf("%s has %d of %d objects: %q", what, v.Present, v.Wanted, v.Differs))
		}
	}
	for name, v := range seen.Networks {
		look("network "+string(name), v)
	}
	for name, v := range seen.Tunnels {
		look("tunnel "+string(name), v)
	}
	return errors.Join(append(errs, err)...)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
