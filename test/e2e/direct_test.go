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
	for i, plane := range planes {
		name := "green-" + string(plane)
		s.a.weft("network create %s --plane %s --kind routed --direct-routing --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, plane, i, i)
		t.Run(string(plane), func(t *testing.T) {
			s.routesDirectly(t, name, map[overlay.PlaneName]string{overlay.PlaneKernel: "vx0", overlay.PlaneEBPF: "gw0"}[plane])
		})
	}
}

// routesDirectly: tunnel is the device by which the host behind the router is reached.
func (s *session) routesDirectly(t *testing.T, name, tunnel string) {
	all := s.attachEverywhere(name)
	s.settled()
	n := network{T: t, kind: overlay.Routed, mtu: defaultMTU - overhead[overlay.V4], all: all}
	n.reachesAll()
	n.reachesGateways()
	near := testenv.Output(t, s.a.Path(), "ip", "route", "get", all[1].address(overlay.V4).String())
	if !strings.Contains(near, "via 192.0.2.12 dev eth0") {
		t.Errorf("to the host on the segment: %s", near)
	}
	routes := s.a.weft("route %s", name)
	if !strings.Contains(routes, tunnel) {
		t.Errorf("no route through the tunnel to the host behind the router:\n%s", routes)
	}
}
