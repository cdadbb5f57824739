package kernel

import (
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// soon is how long the kernel's announcement of a change may take to become an event: on a busy machine it
// takes namespaces down seconds after their last process.
const soon = 10 * time.Second

// event waits for an event of the host's plane.
func (h *bedHost) event() dataplane.Event {
	h.t.Helper()
	select {
	case e := <-h.plane.Events():
		return e
	case <-time.After(soon):
		h.t.Fatal("no event")
		return dataplane.Event{}
	}
}

// silence fails the test if the plane announces anything within a moment, but for
// stations: these may speak when they like.
func (h *bedHost) silence() {
	h.t.Helper()
	quiet := time.After(10 * patience)
	for {
		select {
		case e := <-h.plane.Events():
			if e.Kind != dataplane.EventStation {
				h.t.Errorf("event %+v", e)
			}
		case <-quiet:
			return
		}
	}
}

// drain takes what was announced before: a change may be found in two looks.
func (h *bedHost) drain() {
	for {
		select {
		case <-h.plane.Events():
		case <-time.After(2 * patience):
			return
		}
	}
}

// tampering is something that somebody does to a network's namespace ({D}), to a
// workload's ({W}) or to the host's ({H}).
type tampering struct {
	name  string
	kind  overlay.NetworkKind
	lines []string
}

func tamperings() []tampering {
	const b, r = overlay.Bridged, overlay.Routed
	return []tampering{
		{"tunnel entry deleted", b, []string{"bridge -n {D} fdb del 02:00:00:00:00:11 dev vx0 dst 192.0.2.2 self"}},
		{"tunnel entry changed", b, []string{"bridge -n {D} fdb replace 02:00:00:00:00:11 dev vx0 dst 192.0.2.99 self"}},
		{"tunnel entry added", b, []string{"bridge -n {D} fdb add 02:00:00:00:00:99 dev vx0 dst 192.0.2.2 self"}},
		{"broadcast entry deleted", b, []string{"bridge -n {D} fdb del 00:00:00:00:00:00 dev vx0 dst 192.0.2.2 self"}},
		{"broadcast entry added", b, []string{"bridge -n {D} fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.99 self"}},
		{"station deleted", b, []string{"bridge -n {D} fdb del 02:00:00:00:00:11 dev vx0 master"}},
		{"station moved", b, []string{"bridge -n {D} fdb replace 02:00:00:00:00:11 dev we0 master static"}},
		{"station not sticky", b, []string{"bridge -n {D} fdb replace 02:00:00:00:00:10 dev we0 master static"}},
		{"station added", b, []string{"bridge -n {D} fdb add 02:00:00:00:00:99 dev vx0 master static"}},
		{"station blackholed", b, []string{"bridge -n {D} fdb replace 02:00:00:00:00:11 dev vx0 master permanent"}},
		{"neighbour deleted", b, []string{"ip -n {D} neigh del 10.7.0.17 dev br0"}},
		{"neighbour changed", b, []string{"ip -n {D} neigh replace fd07::11 lladdr 02:00:00:00:00:99 dev br0 nud permanent"}},
		{"neighbour may age", b, []string{"ip -n {D} neigh replace 10.7.0.17 lladdr 02:00:00:00:00:11 dev br0 nud reachable"}},
		{"neighbour added", b, []string{"ip -n {D} neigh add 10.7.0.99 lladdr 02:00:00:00:00:99 dev br0 nud permanent"}},
		{"address deleted", b, []string{"ip -n {D} address del 10.7.0.1/16 dev br0"}},
		{"address added", b, []string{"ip -n {D} address add 10.7.0.99/16 dev br0"}},
		{"flag set", b, []string{"bridge -n {D} link set dev vx0 learning on"}},
		{"flag cleared", b, []string{"bridge -n {D} link set dev vx0 neigh_suppress off"}},
		{"flood", b, []string{"bridge -n {D} link set dev we0 flood on"}},
		{"isolated", b, []string{"bridge -n {D} link set dev we0 isolated on"}},
		{"blocked", b, []string{"bridge -n {D} link set dev we0 state 0"}},
		{"snooping", b, []string{"ip -n {D} link set br0 type bridge mcast_snooping 1"}},
		{"STP", b, []string{"ip -n {D} link set br0 type bridge stp_state 1"}},
		{"port off its bridge", b, []string{"ip -n {D} link set we0 nomaster"}},
		{"tunnel off its bridge", b, []string{"ip -n {D} link set vx0 nomaster"}},
		{"tunnel down", b, []string{"ip -n {D} link set vx0 down"}},
		{"tunnel deleted", b, []string{"ip -n {D} link del vx0"}},
		{"tunnel renamed", b, []string{"ip -n {D} link set vx0 down", "ip -n {D} link set vx0 name vx1"}},
		{"bridge flaps", b, []string{"ip -n {D} link set br0 down", "ip -n {D} link set br0 up"}},
		{"bridge deleted", b, []string{"ip -n {D} link del br0"}},
		{"bridge has another MAC", b, []string{"ip -n {D} link set br0 address 02:00:00:00:00:99"}},
		{"MTU", b, []string{"ip -n {D} link set vx0 mtu 1400"}},
		{"alias", b, []string{"ip -n {D} link set vx0 alias x"}},
		{"port deleted", b, []string{"ip -n {D} link del we0"}},
		{"port deleted by its workload", b, []string{"ip -n {W} link del eth0"}},
		{"port renamed by its workload", b, []string{"ip -n {W} link set eth0 down", "ip -n {W} link set eth0 name x0", "ip -n {D} link set we0 mtu 1400"}},
		{"link added", b, []string{"ip -n {D} link add x0 type bridge"}},
		{"namespace deleted", b, []string{"umount -l {D}", "rm {D}"}},
		{"route added", b, []string{"ip -n {D} route add 192.0.2.128/25 via 10.7.0.16 dev br0"}},

		{"filter deleted", b, []string{"nft -n {D} delete table bridge weft"}},
		{"filter emptied", b, []string{"nft -n {D} flush chain bridge weft ports"}},
		{"filter off", b, []string{"nft -n {D} add table bridge weft { flags dormant; }"}},
		{"source allowed", b, []string{`nft -n {D} add element bridge weft sources4 { "we0" . 10.7.9.9 }`}},
		{"storms let through", b, []string{"nft -n {D} flush chain bridge weft flood", "nft -n {D} add rule bridge weft flood meta pkttype other accept",
			`nft -n {D} add rule bridge weft flood oifname "vx0" update @storms { iifname limit rate over 100000/second burst 1000 packets } counter name "storm-control" drop`}},
		{"all rules flushed", b, []string{"nft -n {D} flush ruleset"}},
		{"member check deleted", b, []string{"nft -n {H} delete table inet weft"}},
		{"stranger allowed", b, []string{"nft -n {H} add element inet weft members4/blue { 198.51.100.1 }"}},

		{"filter deleted", r, []string{"nft -n {D} delete table netdev weft"}},
		{"member check flushed", r, []string{"nft -n {H} flush ruleset"}},
		{"route deleted", r, []string{"ip -n {D} route del 10.7.2.0/24"}},
		{"route changed", r, []string{"ip -n {D} route change 10.7.2.0/24 via 10.7.2.1 dev vx0 onlink proto 119"}},
		{"IPv6 route deleted", r, []string{"ip -n {D} route del fd07::200/120"}},
		{"route to a port deleted", r, []string{"ip -n {D} route del 10.7.1.16"}},
		{"unreachable deleted", r, []string{"ip -n {D} route del unreachable 10.7.0.0/16"}},
		{"route added", r, []string{"ip -n {D} route add 198.51.100.0/24 via 10.7.2.0 dev vx0 onlink"}},
		{"VTEP entry deleted", r, []string{"bridge -n {D} fdb flush dev vx0"}},
		{"neighbours deleted", r, []string{"ip -n {D} neigh flush all nud permanent"}},
		{"tunnel flaps", r, []string{"ip -n {D} link set vx0 down", "ip -n {D} link set vx0 up"}},
		{"tunnel has another MAC", r, []string{"ip -n {D} link set vx0 address 02:00:00:00:00:99"}},
		{"tunnel deleted", r, []string{"ip -n {D} link del vx0"}},
		{"port flaps", r, []string{"ip -n {D} link set we0 down", "ip -n {D} link set we0 up"}},
		{"port deleted", r, []string{"ip -n {D} link del we0"}},
		{"no router any more", r, []string{"nsenter --net={D} sysctl -qw net.ipv4.ip_forward=0"}},
		{"no router of IPv6 any more", r, []string{"nsenter --net={D} sysctl -qw net.ipv6.conf.all.forwarding=0"}},
		{"gateway deleted", r, []string{"ip -n {D} address del fd07::1/128 dev we0"}},
	}
}

// What somebody does to Weft's own is announced within a moment, and one Apply
// repairs it; and that is the end of it.
func TestTampering(t *testing.T) {
	t.Parallel()
	tamperWith(t, tamperings())
}

// tamperWith does so on a host with a network of each kind.
func tamperWith(t *testing.T, all []tampering) {
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 2, kind, overlay.V4)
			for i, h := range n.bed.hosts {
				h.apply(n.state(i))
			}
			a := n.bed.hosts[0]
			a.silence()
			for _, c := range all {
				if c.kind == kind {
					t.Run(c.name, func(t *testing.T) { n.tamper(t, a, c) })
				}
			}
		})
	}
}

func (n testNet) tamper(t *testing.T, h *bedHost, c tampering) {
	t.Helper()
	h.t = t
	n.do(t, h, c.lines)
	e := h.event()
	t.Log(e.Kind, e.What)
	h.apply(n.state(0))
	h.settled()
	for e.Kind != dataplane.EventChanged {
		e = h.event()
	}
	h.drain()
	h.silence()
	for _, a := range n.endpoint(1).Addresses {
		if !a.IsLinkLocalUnicast() {
			ping(t, n.workloads[0], a.String())
		}
	}
}

// do runs commands in a host's namespaces.
func (n testNet) do(t *testing.T, h *bedHost, lines []string) {
	t.Helper()
	domain := string(DomainNS(h.dir, n.spec.Name))
	for _, l := range lines {
		ns := ""
		switch {
		case strings.Contains(l, "-n {D} "):
			ns = domain
		case strings.Contains(l, "-n {W} "):
			ns = n.workloads[0]
		case strings.Contains(l, "-n {H} "):
			ns = h.ns
		}
		l = strings.NewReplacer("-n {D} ", "", "-n {W} ", "", "-n {H} ", "", "{D}", domain).Replace(l)
		testenv.Run(t, ns, strings.Fields(l)...)
	}
}

// A workload that goes takes its port along: that is announced, and no error.
func TestWorkloadGone(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.apply(n.state(0))
	if err := netns.Delete(n.workloads[0]); err != nil {
		t.Fatal(err)
	}
	if e := h.event(); e.Kind != dataplane.EventPortGone || e.Port != "e0" {
		t.Errorf("want e0 gone, got %v", e)
	}
	h.apply(n.state(0)) // until it is detached
	h.drain()           // what was found before that
	h.apply(n.state(0))
	h.silence()
	if err := netns.Create(n.workloads[0]); err != nil {
		t.Fatal(err)
	}
	h.apply(n.state(0))
	h.settled()
}

// Close leaves forwarding on, and another plane finds nothing to do.
func TestRestart(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	for i, h := range n.bed.hosts {
		h.apply(n.state(i))
	}
	h := n.bed.hosts[0]
	if err := h.plane.Close(); err != nil {
		t.Fatal(err)
	}
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())
	want := h.plane.want
	h.start()
	h.plane.want = want
	h.settled()
	h.apply(n.state(0))
	h.silence()
}
