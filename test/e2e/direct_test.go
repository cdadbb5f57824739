package e2e

import (
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestDirectRouting: packets between hosts on one segment go without encapsulation, and
// across the router with it; a firewall like Docker's does not mind.
func TestDirectRouting(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create green --kind routed --direct-routing --subnet 10.8.0.0/16 --subnet6 fd00:8::/48")
	all := s.attachEverywhere("green")
	s.settled()
	n := network{T: t, kind: overlay.Routed, mtu: defaultMTU - overhead[overlay.V4], all: all}
	n.reachesAll()
	n.reachesGateways()
	near := testenv.Output(t, s.a.Path(), "ip", "route", "get", all[1].address(overlay.V4).String())
	if !strings.Contains(near, "via 192.0.2.12 dev eth0") {
		t.Errorf("to the host on the segment: %s", near)
	}
	routes := s.a.weft("route green")
	if !strings.Contains(routes, "vx0") {
		t.Errorf("no route through the tunnel to the host behind the router:\n%s", routes)
	}
}
