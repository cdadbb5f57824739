package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/trace"
)

// groupOf is the multicast group of the tests, by family.
func groupOf(f overlay.Family) netip.Addr {
	if f == overlay.V4 {
		return netip.MustParseAddr("239.1.1.1")
	}
	return netip.MustParseAddr("ff05::100")
}

// grouped has the network's hosts find each other by a group.
func grouped(n *dataplane.Network) {
	learning(n)
	n.Group, n.TTL, n.UnderlayDevice = groupOf(overlay.FamilyOf(n.Local)), 4, "eth0"
}

// learning: nothing is known of other hosts' stations.
func learning(n *dataplane.Network) {
	n.Learning, n.AgeingSeconds = true, 60
	n.Remotes = nil
	n.Neighbors = map[netip.Addr]overlay.MAC{}
	for _, p := range n.Ports {
		for _, a := range p.Addresses {
			n.Neighbors[a] = p.MAC
		}
	}
}

// outer has an answer to every question about the packets outside.
func outer(n *dataplane.Network) {
	no := false
	n.UnderlayDevice, n.TTL, n.SourcePorts, n.UDPChecksum = "eth0", 9, &overlay.PortRange{Low: 40000, High: 41000}, &no
}

// edited is the State of host i, changed.
func (n testNet) edited(i int, edits ...func(*dataplane.Network)) dataplane.State {
	s := n.state(i)
	net := s.Networks[n.spec.Name]
	for _, e := range edits {
		e(&net)
	}
	s.Networks[n.spec.Name] = net
	return s
}

// RFC 7348 section 4: the first ARP request goes to the group, its answer and what follows to one host. Hosts
// 0 and 1 learn where the other's station is, from request and reply; 2 hears the request, and is silent.
func TestMulticast(t *testing.T) {
	t.Parallel()
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		t.Run("over "+string(f), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 3, overlay.Bridged, f)
			for i, h := range n.bed.hosts {
				hush(t, n.workloads[i])
				h.apply(n.edited(i, grouped))
				h.settled()
			}
			listen := listenTo(t, n.bed.hosts[0].ns, n.spec.Port)
			to := n.endpoint(1).Addresses[0]
			ping(t, n.workloads[0], to.String())
			a, b, group := n.bed.hosts[0].underlay(f), n.bed.hosts[1].underlay(f), groupOf(f)
			want := []string{
				fmt.Sprintf("%s > %s: ARP request", a, group), fmt.Sprintf("%s > %s: ARP reply", b, a),
				fmt.Sprintf("%s > %s: echo request", a, b), fmt.Sprintf("%s > %s: echo reply", b, a),
			}
			if got := listen(len(want)); !slices.Equal(got, want) {
				t.Errorf("on the wire:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for i, want := range []map[int]netip.Addr{{1: b}, {0: a}, {0: a}} {
				for j := range 3 {
					vtep, learnt := n.learnt(t, i, j)
					if vtep != want[j] || learnt != want[j].IsValid() {
						t.Errorf("host %d has station %d behind %s, want %s", i, j, vtep, want[j])
					}
				}
			}
			for _, h := range n.bed.hosts {
				h.settled() // what is learnt is nothing to repair
			}
		})
	}
}

// hush keeps a workload from saying by itself that it is there: Linux reports the IPv6 groups that
// it listens to (RFC 3810).
func hush(t testing.TB, ns string) {
	t.Helper()
	testenv.Run(t, ns, "nft", "table ip6 hush { chain out { type filter hook output priority 0; policy drop; }; }")
}

// learnt is the VTEP behind which host i has learnt host j's station to be.
func (n testNet) learnt(t *testing.T, i, j int) (vtep netip.Addr, ok bool) {
	t.Helper()
	seen, err := n.bed.hosts[i].plane.Observe(context.Background(), n.spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range seen.Networks[n.spec.Name].FDB {
		if e.MAC == n.endpoint(j).MAC && e.Origin == dataplane.FromLearnt && e.VTEP.IsValid() {
			return e.VTEP, true
		}
	}
	return netip.Addr{}, false
}

// listenTo listens on a host's underlay device. The function that it returns has what ARP and
// IPv4 echo passed first, a line for each tunnel packet.
func listenTo(t testing.TB, ns string, port uint16) func(int) []string {
	t.Helper()
	c, err := trace.Open(trace.Options{
		Interface: "eth0", Ports: []uint16{port}, Enter: func(f func() error) error { return netns.Do(ns, f) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(count int) (lines []string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for f, err := range c.Frames(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if line := wrapped(f.Data); line != "" {
				lines = append(lines, line)
			}
			if len(lines) == count {
				return lines
			}
		}
		return lines
	}
}

// wrapped says what a VXLAN packet has inside, if it is ARP or an echo message of IPv4.
func wrapped(frame []byte) string {
	const eth, udp, vxlan = 14, 8, 8
	if len(frame) < eth+1 {
		return ""
	}
	var from, to netip.Addr
	ip := frame[eth:]
	length := 20
	if ip[0]>>4 == 6 {
		length = 40
	}
	if len(ip) < length+udp+vxlan+eth+28 {
		return ""
	}
	if length == 20 {
		from, to = mustAddr(ip[12:16]), mustAddr(ip[16:20])
	} else {
		from, to = mustAddr(ip[8:24]), mustAddr(ip[24:40])
	}
	inside := ip[length+udp+vxlan:]
	what := ""
	switch {
	case inside[12] == 8 && inside[13] == 6:
		what = map[byte]string{1: "ARP request", 2: "ARP reply"}[inside[eth+7]]
	case inside[12] == 8 && inside[13] == 0 && inside[eth+9] == 1:
		what = map[byte]string{0: "echo reply", 8: "echo request"}[inside[eth+20]]
	}
	if what == "" {
		return ""
	}
	return fmt.Sprintf("%s > %s: %s", from, to, what)
}

// What is learnt is forgotten. The kernel looks every 10 s (drivers/net/vxlan/vxlan_core.c, FDB_AGE_INTERVAL).
func TestStationsAge(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	brief := func(n *dataplane.Network) { n.AgeingSeconds = 1 }
	for i, h := range n.bed.hosts {
		h.apply(n.edited(i, grouped, brief))
	}
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())
	if _, ok := n.learnt(t, 0, 1); !ok {
		t.Fatal("nothing was learnt")
	}
	// Neither end may speak meanwhile.
	for _, w := range n.workloads {
		testenv.Run(t, w, "ip", "link", "set", "eth0", "down")
	}
	testenv.Eventually(t, 30*time.Second, func() error {
		if vtep, ok := n.learnt(t, 0, 1); ok {
			return fmt.Errorf("the station is known behind %s", vtep)
		}
		return nil
	}, "the station is forgotten")
}

// In discovery static with learning all peers get what has no known place, and who is none of
// them is not heard.
func TestStaticLearning(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 3, overlay.Bridged, overlay.V4)
	for i, h := range n.bed.hosts {
		stranger := func(net *dataplane.Network) {
			if i == 0 {
				delete(net.Members, "c")
			}
		}
		h.apply(n.edited(i, learning, stranger))
		h.settled()
	}
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())
	ping(t, n.workloads[1], n.endpoint(2).Addresses[1].String())
	if vtep, ok := n.learnt(t, 0, 1); !ok || vtep != n.bed.hosts[1].underlay(overlay.V4) {
		t.Errorf("station 1 is known behind %s", vtep)
	}
	if vtep, ok := n.learnt(t, 0, 2); ok {
		t.Errorf("who is no peer was heard: station 2 is known behind %s", vtep)
	}
}

// What floods and learns is repaired like all else; what is learnt is not.
func TestGroupTampering(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.apply(n.edited(0, grouped))
	domain := string(DomainNS(h.dir, n.spec.Name))
	for name, command := range map[string][]string{
		"learning": {"ip", "link", "set", "vx0", "type", "vxlan", "nolearning"},
		"a member": {"bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx0", "dst", "192.0.2.99", "self"},
		"flooding": {"bridge", "link", "set", "dev", "up0", "flood", "off"},
		"its port": {"bridge", "link", "set", "dev", "vx0", "flood", "on"},
		"way out":  {"tc", "qdisc", "delete", "dev", "up1", "clsact"},
		"way in":   {"tc", "filter", "delete", "dev", "vx0", "ingress"},
		"ageing":   {"ip", "link", "set", "br0", "type", "bridge", "ageing_time", "1000"},
	} {
		testenv.Run(t, domain, command...)
		if len(h.ops()) == 0 {
			t.Errorf("%s: nothing to repair", name)
		}
		testenv.Eventually(t, 5*time.Second, func() error {
			select {
			case e := <-h.plane.Events():
				if e.Kind == dataplane.EventChanged {
					return nil
				}
			default:
			}
			return fmt.Errorf("%s: not announced", name)
		}, "what was changed is announced")
		h.apply(n.edited(0, grouped))
		h.settled()
	}
}
