package kernel

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// direct makes every route of a State one without encapsulation.
func (n testNet) direct(i int, e overlay.Encapsulation) dataplane.State {
	s := n.state(i)
	net := s.Networks[n.spec.Name]
	net.Encapsulation = e
	for prefix, r := range net.Routes {
		j := slices.IndexFunc(n.bed.hosts, func(h *bedHost) bool { return h.name == r.Node })
		net.Routes[prefix] = dataplane.Route{Node: r.Node, Direct: true, Via: n.bed.hosts[j].underlay(overlay.FamilyOf(prefix.Addr()))}
	}
	s.Networks[n.spec.Name] = net
	return s
}

// try sends one ping.
func try(ns, address string) error {
	_, err := netns.Output(context.Background(), ns, "ping", "-n", "-c1", "-W1", address)
	return err
}

// traces are what direct routing leaves on a host: addresses, routes and settings.
// The link-local address of the NIC is the kernel's, and comes when it likes.
func (h *bedHost) traces() string {
	h.t.Helper()
	text := testenv.Output(h.t, h.ns, "ip", "-o", "address") +
		testenv.Output(h.t, h.ns, "ip", "route") + testenv.Output(h.t, h.ns, "ip", "-6", "route") +
		testenv.Output(h.t, h.ns, "sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.eth0.accept_ra")
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.Contains(line, "fe80::") && strings.Contains(line, "eth0")
	})
	return strings.Join(lines, "\n")
}

// TestDirect: unencapsulated packets pass, nothing is left to do afterwards,
// and going back to encapsulation leaves no trace.
func TestDirect(t *testing.T) {
	t.Parallel()
	for _, e := range []overlay.Encapsulation{overlay.EncapNone, overlay.EncapVXLAN} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 2, overlay.Routed, overlay.V4)
			var before []string
			for i, h := range n.bed.hosts {
				before = append(before, h.traces())
				h.apply(n.direct(i, e))
				h.settled()
				h.hostSettled(n.direct(i, e))
			}
			for _, a := range n.endpoint(1).Addresses {
				if a.IsLinkLocalUnicast() {
					continue
				}
				// The hosts forward IPv6 once their NICs are through with duplicate address detection.
				testenv.Eventually(t, 5*time.Second, func() error {
					return try(n.workloads[0], a.String())
				}, a.String()+" to answer")
			}
			if out := testenv.Output(t, n.bed.hosts[0].ns, "ip", "-s", "link", "show", "wfhost001001"); !strings.Contains(out, "wfhost001001") {
				t.Errorf("no veth to the host: %s", out)
			}
			for i, h := range n.bed.hosts {
				h.apply(dataplane.State{Generation: 2})
				if after := h.traces(); after != before[i] {
					t.Errorf("before:\n%s\nafter:\n%s", before[i], after)
				}
			}
		})
	}
}

// hostSettled fails the test if the host's own part is not as wanted.
func (h *bedHost) hostSettled(s dataplane.State) {
	h.t.Helper()
	hand := newHand(h.ns)
	defer hand.Close()
	want, err := h.plane.hostWant(hand, s)
	if err != nil {
		h.t.Fatal(err)
	}
	ops, err := h.plane.hostOps(hand, want)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, op := range ops {
		h.t.Errorf("host %s: not as wanted: %s", h.name, op)
	}
}

// TestDirectByDelta: a network that begins and ceases to route directly does so by
// a delta as by a full comparison.
func TestDirectByDelta(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Routed, overlay.V4)
	h := n.bed.hosts[0]
	tunnelled, direct := n.state(0), n.direct(0, overlay.EncapVXLAN)
	h.apply(tunnelled)
	n.bed.hosts[1].apply(n.direct(1, overlay.EncapVXLAN))
	for generation, s := range []dataplane.State{direct, tunnelled, direct} {
		s.Generation = uint64(generation + 2)
		d := dataplane.Between(h.plane.want, s)
		if err := h.plane.Apply(context.Background(), s, &d); err != nil {
			t.Fatal(err)
		}
		h.settled()
		h.hostSettled(s)
	}
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())
}

// TestDown: what a plane made is found again without it, and all of it goes.
func TestDown(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Routed, overlay.V4)
	h := n.bed.hosts[0]
	before := h.traces()
	h.apply(n.direct(0, overlay.EncapVXLAN))
	removed, err := Down(context.Background(), h.plane.Options)
	if err != nil || len(removed) == 0 {
		t.Fatalf("removed %v, %v", removed, err)
	}
	if after := h.traces(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s\nremoved:\n%s", before, after, strings.Join(removed, "\n"))
	}
	if left, err := netns.List(h.dir); err != nil || len(left) > 0 {
		t.Errorf("namespaces left: %v, %v", left, err)
	}
	if again, err := Down(context.Background(), h.plane.Options); err != nil || len(again) != 0 {
		t.Errorf("again: %v, %v; want nothing", again, err)
	}
}
