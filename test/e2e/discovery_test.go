package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// TestTypedPeers: host c runs no Weft, and is a peer of networks by what was typed in of it: a flannel node of a
// routed one, on flannel's port, and a host with a vxlan device of a bridged one, on IANA's, over
// both families of the underlay and on both planes, all at the same time.
func TestTypedPeers(t *testing.T) {
	t.Parallel()
	s := hosts(t)
	s.a.startServer()
	s.b.startAgent(s.token())
	var checks []func()
	for i, plane := range planes {
		for j, underlay := range families {
			number := 1 + 10*i + 2*j
			checks = append(checks, s.flannel(number, plane, underlay), s.typedStation(number+1, plane, underlay))
		}
	}
	for _, check := range checks {
		check()
	}
	if shown := s.a.weft("network show flannel-1"); !strings.Contains(shown, "198.51.100.13 as 02:00:5e:10:00:01: 10.1.9.0/24, fd00:1:0:9::/64") {
		t.Errorf("network show:\n%s", shown)
	}
}

// TestMulticastNetwork: hosts a and b, on one segment, find each other by a group. Host c is behind a
// router that routes no groups: all three say so, by name, and as soon as c has no part in
// the network any more, nobody does.
func TestMulticastNetwork(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create lab --subnet 10.1.1.0/24 --vni 100 --discovery multicast --group 239.1.1.1 --underlay-device eth0")
	at := map[string]*workload{"a": s.a.attach("lab"), "b": s.b.attach("lab")}
	s.pings(at["a"].Namespace, at["b"].address(overlay.V4).String())
	s.hears("", s.a, s.b)
	if shown := s.a.weft("network show lab"); !strings.Contains(shown, "b: kernel (auto: plane ebpf does not do discovery multicast)") {
		t.Errorf("network show:\n%s", shown)
	}
	var entries []dataplane.FDBEntry
	s.a.read(&entries, "fdb lab")
	if !slices.ContainsFunc(entries, func(e dataplane.FDBEntry) bool {
		return e.MAC == at["b"].Endpoint.Spec.MAC && e.VTEP == netip.MustParseAddr(vteps[overlay.V4]["b"]) && e.Origin == dataplane.FromLearnt
	}) {
		t.Errorf("host a has not learnt of b's station: %+v", entries)
	}

	s.c.attach("lab")
	s.hears("group 239.1.1.1 does not reach here from node c: ", s.a, s.b)
	s.hears("group 239.1.1.1 does not reach here from node a: ", s.c)
	s.c.weft("endpoint detach lab/lab-c")
	s.hears("", s.a, s.b)
	s.a.try("network create other --subnet 10.1.2.0/24 --discovery multicast --group 239.1.1.2 --underlay-device eth0 --plane ebpf").
		refused(t, 2, "plane ebpf does not do discovery multicast; want plane kernel or auto")
}

// hears waits until each of some hosts says this first of its networks; empty: they all are as wanted.
func (s *session) hears(want string, hosts ...*host) {
	s.t.Helper()
	for _, h := range hosts {
		testenv.Eventually(s.t, patience, func() error {
			var node overlay.Node
			s.a.read(&node, "node show %s", h.Name())
			if len(node.Status.Networks) != 1 {
				return fmt.Errorf("node %s reports %+v", h.Name(), node.Status.Networks)
			}
			switch said := node.Status.Networks[0].Differs; {
			case want == "" && len(said) == 0, want != "" && len(said) > 0 && strings.HasPrefix(said[0], want):
				return nil
			default:
				return fmt.Errorf("node %s says %q", h.Name(), said)
			}
		}, fmt.Sprintf("node %s says %q", h.Name(), want))
	}
}

// vteps are the hosts' addresses of a family.
var vteps = map[overlay.Family]map[string]string{
	overlay.V4: {"a": "192.0.2.11", "b": "192.0.2.12", "c": "198.51.100.13"},
	overlay.V6: {"a": "2001:db8:1::11", "b": "2001:db8:1::12", "c": "2001:db8:2::13"},
}

// flannel makes host c a node of a routed network as flannel's vxlan backend does
// (flannel/pkg/backend/vxlan): a device, and a route, a neighbour and an FDB entry for each other
// node. An address of the device stands for a pod.
func (s *session) flannel(number int, plane overlay.PlaneName, underlay overlay.Family) func() {
	s.t.Helper()
	name, device := fmt.Sprintf("flannel-%d", number), fmt.Sprintf("flannel.%d", number)
	mac := overlay.MAC{2, 0, 0x5e, 0x10, 0, byte(number)}
	pods := []string{fmt.Sprintf("10.%d.9.7", number), fmt.Sprintf("fd00:%d:0:9::7", number)}
	s.a.weft("network create %s --kind routed --vni %d --port 8472 --plane %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48 "+
		"--peer %s,mac=%s,block=10.%d.9.0/24,block=fd00:%d:0:9::/64",
		name, number, plane, number, number, vteps[underlay]["c"], mac, number, number)
	s.ip("link add %s address %s type vxlan id %d local %s dstport 8472 nolearning udp6zerocsumrx", device, mac, number, vteps[underlay]["c"])
	s.ip("link set %s mtu %d up", device, defaultMTU-overhead[underlay])
	for _, pod := range pods {
		s.ip("address add %s dev %s", pod, device)
	}
	var all []*workload
	for _, h := range []*host{s.a, s.b} {
		w := h.attach(name)
		all = append(all, w)
		var node overlay.Node
		s.a.read(&node, "node show %s", h.Name())
		testenv.Run(s.t, s.c.Path(), "bridge", "fdb", "append", node.Spec.VTEPMAC.String(), "dev", device, "dst", vteps[underlay][h.Name()])
		for _, f := range families {
			bits := map[overlay.Family]int{overlay.V4: 24, overlay.V6: 64}[f]
			block := netip.PrefixFrom(w.address(f), bits).Masked()
			s.ip("neigh add %s lladdr %s dev %s nud permanent", block.Addr(), node.Spec.VTEPMAC, device)
			s.ip("route add %s via %s dev %s onlink", block, block.Addr(), device)
		}
	}
	return func() {
		for _, w := range all {
			for i, f := range families {
				s.pings(w.Namespace, pods[i], unbroken(f, defaultMTU-overhead[underlay])...)
				s.pings(&s.c.Namespace, w.address(f).String())
			}
		}
	}
}

// typedStation makes host c a station of a bridged network.
func (s *session) typedStation(number int, plane overlay.PlaneName, underlay overlay.Family) func() {
	s.t.Helper()
	name, device := fmt.Sprintf("site-%d", number), fmt.Sprintf("site.%d", number)
	mac := overlay.MAC{2, 0, 0x5e, 0x10, 0, byte(number)}
	stations := []string{fmt.Sprintf("10.%d.0.99", number), fmt.Sprintf("fd00:%d::99", number)}
	s.a.weft("network create %s --vni %d --plane %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/64 --peer %s,station=%s@%s@%s",
		name, number, plane, number, number, vteps[underlay]["c"], mac, stations[0], stations[1])
	all := []*workload{s.a.attach(name), s.b.attach(name)}
	s.ip("link add %s address %s type vxlan id %d local %s dstport 4789 udp6zerocsumrx", device, mac, number, vteps[underlay]["c"])
	for _, h := range []*host{s.a, s.b} {
		testenv.Run(s.t, s.c.Path(), "bridge", "fdb", "append", "00:00:00:00:00:00", "dev", device, "dst", vteps[underlay][h.Name()])
	}
	s.ip("address add %s/16 dev %s", stations[0], device)
	s.ip("address add %s/64 dev %s nodad", stations[1], device)
	s.ip("link set %s up", device)
	return func() {
		for _, w := range all {
			for i, f := range families {
				s.pings(w.Namespace, stations[i], unbroken(f, defaultMTU-overhead[underlay])...)
				s.pings(&s.c.Namespace, w.address(f).String())
			}
		}
	}
}

// ip runs ip(8) on host c.
func (s *session) ip(command string, args ...any) {
	s.t.Helper()
	testenv.Run(s.t, s.c.Path(), append([]string{"ip"}, strings.Fields(fmt.Sprintf(command, args...))...)...)
}
