package e2e

import (
	"net/netip"
	"os/exec"
	"strconv"
	"testing"

	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// configure gives a device what a machine's administrator would: what weft said
// when it was attached. onLink is the prefix length of what is on the same link.
func (w *workload) configure(onLink map[overlay.Family]int) {
	t := w.host.s.t
	t.Helper()
	mac := w.Endpoint.Spec.MAC.String()
	testenv.Run(t, w.Path(), "ip", "link", "set", "eth0", "address", mac, "mtu", strconv.Itoa(w.MTU), "addrgenmode", "none")
	testenv.Run(t, w.Path(), "ip", "link", "set", "eth0", "up")
	addAddress(t, w.Namespace, netip.PrefixFrom(w.linkLocal(), 64))
	for _, a := range w.Endpoint.Spec.Addresses {
		addAddress(t, w.Namespace, netip.PrefixFrom(a, onLink[overlay.FamilyOf(a)]))
	}
	for _, g := range w.Gateways {
		testenv.Run(t, w.Path(), "ip", "route", "add", "default", "via", g.String(), "dev", "eth0", "onlink")
	}
}

// addAddress adds an address to eth0 that is usable at once.
func addAddress(t *testing.T, ns *lab.Namespace, a netip.Prefix) {
	t.Helper()
	argv := []string{"ip", "address", "add", a.String(), "dev", "eth0"}
	if a.Addr().Is6() {
		argv = append(argv, "nodad")
	}
	testenv.Run(t, ns.Path(), argv...)
}

// alone is a link with nobody else on it, as ports of routed networks are.
var alone = map[overlay.Family]int{overlay.V4: 32, overlay.V6: 128}

// lend attaches a veth device and moves it, as its user may, into a namespace, as
// eth0.
func (h *host) lend(network, device string) *workload {
	h.s.t.Helper()
	w := &workload{Namespace: h.namespace(device), host: h, name: device}
	h.read(&w.Attachment, "endpoint attach %s --veth %s", network, device)
	testenv.Run(h.s.t, h.Path(), "ip", "link", "set", device, "netns", nameOf(w.Namespace), "name", "eth0")
	return w
}

// TestNamespaceByNamePathAndPID: a container's namespace can be called by each.
func TestNamespaceByNamePathAndPID(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	peer := s.b.attach("blue")
	byName, byPath, byPID := s.c.namespace("name"), s.c.namespace("path"), s.c.namespace("pid")
	process, err := byPID.Start(exec.Command("sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	for target, ns := range map[string]*lab.Namespace{
		nameOf(byName): byName, byPath.Path(): byPath, strconv.Itoa(process.PID()): byPID,
	} {
		s.c.weft("endpoint attach blue --netns %s --ifname net1", target)
		s.pings(ns, peer.address(overlay.V4).String(), "-I", "net1")
		s.pings(ns, peer.address(overlay.V6).String(), "-I", "net1")
	}
}

// TestMachinesAndDevices: a virtual machine's tap and a veth that its user moved and
// configured reach everybody and are reached, in both kinds of networks, and hear
// of packets that are too large.
func TestMachinesAndDevices(t *testing.T) {
	t.Parallel()
	s := begin(t)
	for i, kind := range kinds {
		name := string(kind)
		s.a.weft("network create %s --kind %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, i, i)
		all := []*workload{s.a.attach(name), s.b.boot(name, "vm"+strconv.Itoa(i)), s.c.lend(name, "dev"+strconv.Itoa(i))}
		onLink := alone
		if kind == overlay.Bridged {
			onLink = map[overlay.Family]int{overlay.V4: 16, overlay.V6: 48}
		}
		for _, w := range all[1:] {
			w.configure(onLink)
		}
		n := network{t, kind, defaultMTU - overhead[overlay.V4], all}
		n.reachesAll()
		n.reachesGateways()
		n.carriesTheLargest()
		for _, w := range all[1:] {
			testenv.Run(t, w.Path(), "ip", "link", "set", "eth0", "mtu", "1500")
			for _, f := range families {
				if err := tooLarge(t.Context(), w.Namespace, all[0].address(f).String(), f, n.mtu); err != nil {
					t.Errorf("%s with an MTU of 1500: %v", w.name, err)
				}
			}
		}
	}
}
