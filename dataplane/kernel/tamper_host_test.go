package kernel

import (
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// hostTamperings are what somebody does to a port's links on the host.
var hostTamperings = map[overlay.AttachType][]tampering{
	overlay.AttachTap: {
		{"tap deleted", "", []string{"ip -n {H} link del tap0"}},
		{"tap down", "", []string{"ip -n {H} link set tap0 down"}},
		{"tap MTU", "", []string{"ip -n {H} link set tap0 mtu 1300"}},
		{"tap alias", "", []string{"ip -n {H} link set tap0 alias x"}},
		{"veth deleted", "", []string{"ip -n {H} link del we0"}},
		{"veth down", "", []string{"ip -n {H} link set we0 down"}},
		{"redirect deleted", "", []string{"tc -n {H} qdisc del dev tap0 clsact"}},
		{"filter deleted", "", []string{"tc -n {H} filter del dev we0 ingress"}},
		{"veth renamed", "", []string{"ip -n {H} link set we0 down", "ip -n {H} link set we0 name x0"}},
	},
	overlay.AttachBridge: {
		{"off its bridge", "", []string{"ip -n {H} link set we0 nomaster"}},
		{"down", "", []string{"ip -n {H} link set we0 down"}},
		{"deleted", "", []string{"ip -n {H} link del we0"}},
	},
	overlay.AttachVeth: {
		{"deleted", "", []string{"ip -n {H} link del web0"}},
		{"near end deleted", "", []string{"ip -n {D} link del we0"}},
	},
}

// What somebody does to a port's links on the host is announced and repaired like
// the rest.
func TestTamperingOnTheHost(t *testing.T) {
	t.Parallel()
	targets := map[overlay.AttachType]string{overlay.AttachTap: "tap0", overlay.AttachBridge: "virbr0", overlay.AttachVeth: "web0"}
	for to, cases := range hostTamperings {
		t.Run(string(to), func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
			h := n.bed.hosts[0]
			h.run("ip", "link", "add", "virbr0", "type", "bridge")
			h.run("ip", "link", "set", "virbr0", "up")
			s := n.state(0)
			net := s.Networks["blue"]
			attached(to, targets[to])(&net)
			h.apply(s)
			h.drain()
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					h.t = t
					n.do(t, h, c.lines)
					for e := h.event(); e.Kind != dataplane.EventChanged; e = h.event() {
						t.Log(e.Kind, e.What)
					}
					h.apply(s)
					h.settled()
					h.drain()
					h.silence()
				})
			}
		})
	}
}

// A veth that was lent may be moved, renamed and used: that is what it is for. When it
// goes with the namespace that it was moved to, it is made again on the host.
func TestLentVethIsItsUsers(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	s := n.state(0)
	net := s.Networks["blue"]
	attached(overlay.AttachVeth, "web0")(&net)
	h.apply(s)
	h.drain()
	h.run("ip", "link", "set", "web0", "netns", n.workloads[0], "name", "inside")
	n.do(t, h, []string{
		"ip -n {W} address add 10.7.0.16/16 dev inside", "ip -n {W} link set inside up",
	})
	h.settled()
	h.apply(s)
	h.silence()
	ping(t, n.workloads[0], n.spec.Gateways[0].Addr().String())
	h.shown(t)
	if err := netns.Delete(n.workloads[0]); err != nil {
		t.Fatal(err)
	}
	for e := h.event(); e.Kind != dataplane.EventChanged; e = h.event() {
		t.Log(e.Kind, e.What)
	}
	h.apply(s)
	h.run("ip", "link", "show", "web0")
	h.shown(t)
}

// shown fails the test unless the host's plane shows everything of blue as wanted.
func (h *bedHost) shown(t *testing.T) {
	t.Helper()
	seen, err := h.plane.Observe(t.Context(), "blue")
	if v := seen.Networks["blue"]; err != nil || v.Present != v.Wanted || len(v.Differs) > 0 {
		t.Errorf("%d of %d are as wanted, %q, %v", v.Present, v.Wanted, v.Differs, err)
	}
}
