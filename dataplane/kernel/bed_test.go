package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// bed is some hosts on one underlay segment, as namespaces.
type bed struct {
	t testing.TB
	// wire is the namespace that they are plugged into, with a port each: p0, p1, …
	wire  string
	hosts []*bedHost
}

// bedHost is one of them.
type bedHost struct {
	t     testing.TB
	name  overlay.NodeName
	index int
	// ns is the host's namespace, dir where its domains are mounted.
	ns, dir string
	plane   *Plane
}

const bedMTU = 1500

func newBed(t testing.TB, hosts int) *bed {
	t.Helper()
	b := &bed{t: t}
	wire := testenv.Namespace(t)
	b.wire = wire
	testenv.Run(t, wire, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	testenv.Run(t, wire, "ip", "link", "set", "br0", "up")
	for i := range hosts {
		h := &bedHost{t: t, name: overlay.NodeName(rune('a' + i)), index: i, ns: testenv.Namespace(t), dir: filepath.Join(t.TempDir(), "netns")}
		port := "p" + strconv.Itoa(i)
		testenv.Run(t, wire, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", h.ns)
		testenv.Run(t, wire, "ip", "link", "set", port, "master", "br0", "up")
		testenv.Run(t, h.ns, "ip", "link", "set", "lo", "up")
		testenv.Run(t, h.ns, "ip", "address", "add", h.underlay(overlay.V4).String()+"/24", "dev", "eth0")
		testenv.Run(t, h.ns, "ip", "address", "add", h.underlay(overlay.V6).String()+"/64", "dev", "eth0", "nodad")
		testenv.Run(t, h.ns, "ip", "address", "add", fmt.Sprintf("fe80::%d/64", i+1), "dev", "eth0", "nodad")
		testenv.Run(t, h.ns, "ip", "link", "set", "eth0", "addrgenmode", "none")
		testenv.Run(t, h.ns, "ip", "link", "set", "eth0", "up")
		h.start()
		t.Cleanup(h.cleanUp)
		b.hosts = append(b.hosts, h)
	}
	return b
}

// start makes the host's plane.
func (h *bedHost) start() {
	h.t.Helper()
	plane, err := New(Options{NetnsDir: h.dir, StateDir: h.t.TempDir(), Host: h.ns})
	if err != nil {
		h.t.Fatal(err)
	}
	h.plane = plane
}

// cleanUp removes what a failed test left.
func (h *bedHost) cleanUp() {
	if err := h.plane.Close(); err != nil {
		h.t.Error(err)
	}
	names, err := netns.List(h.dir)
	if err != nil {
		h.t.Error(err)
	}
	for _, n := range names {
		if err := netns.Delete(filepath.Join(h.dir, n)); err != nil {
			h.t.Error(err)
		}
	}
}

// run runs a command in the host's namespace.
func (h *bedHost) run(argv ...string) {
	h.t.Helper()
	testenv.Run(h.t, h.ns, argv...)
}

func (h *bedHost) underlay(f overlay.Family) netip.Addr {
	if f == overlay.V4 {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(h.index + 1)})
	}
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:ffff::%d", h.index+1))
}

// apply applies a State, with nothing known of the one before.
func (h *bedHost) apply(s dataplane.State) {
	h.t.Helper()
	if err := h.plane.Apply(context.Background(), s, nil); err != nil {
		h.t.Fatal(err)
	}
}

// ops are what a second Apply of the host's State would do.
func (h *bedHost) ops() []Op {
	h.t.Helper()
	hand := newHand(h.ns)
	defer hand.Close()
	var ops []Op
	for _, name := range sortedNames(h.plane.want.Networks) {
		want := LowerNetwork(h.plane.want.Networks[name], h.dir)
		have, err := hand.observe(name, DomainNS(h.dir, name), want)
		if err != nil {
			h.t.Fatal(err)
		}
		ops = append(ops, Diff(want, have)...)
	}
	return ops
}

// settled fails the test if there is anything left to do.
func (h *bedHost) settled() {
	h.t.Helper()
	for _, op := range h.ops() {
		h.t.Errorf("host %s: not as wanted: %s", h.name, op)
	}
}

// ping fails the test unless an address answers from a namespace.
func ping(t testing.TB, ns, address string, options ...string) {
	t.Helper()
	args := append([]string{"ping", "-n", "-c1", "-W2"}, options...)
	testenv.Run(t, ns, append(args, address)...)
}
