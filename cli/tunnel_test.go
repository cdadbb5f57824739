package cli

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"weft/overlay"
)

// TestTunnelText: what a tunnel's node says of it stands before what was declared.
func TestTunnelText(t *testing.T) {
	t.Parallel()
	declared := tunnelState{Tunnel: &overlay.Tunnel{Spec: overlay.TunnelSpec{Remote: "gw.example.net", Plane: overlay.PlaneAuto, MTU: 1400}}}
	told, literal, unresolved := declared, declared, declared
	told.Status = &overlay.TunnelReport{State: overlay.TunnelUp, Remote: netip.MustParseAddr("203.0.113.9"), Plane: overlay.PlaneKernel, PlaneReason: "why", MTU: 1380}
	literal.Tunnel = &overlay.Tunnel{Spec: overlay.TunnelSpec{Remote: "203.0.113.9"}}
	literal.Status = told.Status
	unresolved.Status = &overlay.TunnelReport{State: overlay.TunnelUnresolved}
	for _, tt := range []struct {
		name                            string
		s                               tunnelState
		remote, state, plane, mtu, show string
	}{
		{"declared", declared, "gw.example.net", "unknown", "", "1400", "auto"},
		{"told", told, "gw.example.net (203.0.113.9)", "up", "kernel", "1380", "kernel (why)"},
		{"an address", literal, "203.0.113.9", "up", "kernel", "1380", "kernel (why)"},
		{"unresolved", unresolved, "gw.example.net", "unresolved", "", "1400", "auto"},
	} {
		got := []string{remoteOf(tt.s), stateOf(tt.s.Status), tunnelPlane(tt.s), tunnelMTUText(tt.s), tunnelPlaneText(tt.s)}
		if want := []string{tt.remote, tt.state, tt.plane, tt.mtu, tt.show}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

// TestTunnelTroubles: what is not up is named with since when and why, and so is what differs.
func TestTunnelTroubles(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	a := &app{now: func() time.Time { return now }}
	n := nodeState{Node: "a", Tunnels: []overlay.TunnelReport{
		{Tunnel: "fine", State: overlay.TunnelUp, Wanted: 2, Present: 2},
		{Tunnel: "barred", State: overlay.TunnelUp, Wanted: 2, Present: 2, Notes: []string{"a firewall is in the way"}},
		{Tunnel: "lost", State: overlay.TunnelDown, Since: now.Add(-9 * time.Second), Why: "10.1.1.2 does not answer", Wanted: 2, Present: 2},
		{Network: "green", Tunnel: "shaky", State: overlay.TunnelFlapping, Since: now.Add(-time.Minute)},
		{Tunnel: "nowhere", State: overlay.TunnelUnresolved, Why: "no such host"},
	}}
	want := []string{
		"a: tunnel barred: a firewall is in the way",
		"a: tunnel lost: down for 9s: 10.1.1.2 does not answer",
		"a: tunnel green/shaky: flapping for 1m",
		"a: tunnel nowhere: unresolved: no such host",
	}
	if got := a.tunnelTroubles(n); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := stateText(n); got != "matches" {
		t.Errorf("with peers that do not answer the node is said to be %q", got)
	}
	n.Tunnels[0].Present, n.Tunnels[0].Differs = 1, []string{"address 10.1.1.1/24: missing"}
	if got := a.tunnelTroubles(n)[0]; got != "a: tunnel fine: address 10.1.1.1/24: missing" {
		t.Errorf("got %q", got)
	}
	if got := stateText(n); got != "differs" {
		t.Errorf("the node is said to be %q", got)
	}
}
