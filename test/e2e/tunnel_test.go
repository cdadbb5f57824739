package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestTunnelToAStranger: host c runs no Weft. What is typed there, and declared for host a, talk to
// each other; a's state and routes follow when c's end goes and comes back; the tunnel
// outlives the daemon, and leaves nothing when it is removed.
func TestTunnelToAStranger(t *testing.T) {
	t.Parallel()
	s := hosts(t)
	s.a.startServer()
	before, err := s.a.picture()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"link add site type vxlan id 7 local 198.51.100.13 remote 192.0.2.11 dstport 4789", "address add 10.1.1.2/24 dev site",
		"address add 10.0.2.1/24 dev lo", "link set site up",
	} {
		testenv.Run(t, s.c.Path(), append([]string{"ip"}, strings.Fields(line)...)...)
	}
	s.a.weft("tunnel add neta --mode vxlan --vni 7 --remote 198.51.100.13 --addr 10.1.1.1/24 --route 10.0.2.0/24,via=10.1.1.2,metric=20 --keepalive 10.1.1.2,interval=200ms")
	s.tunnelIs(overlay.TunnelUp, "10.0.2.0/24 via 10.1.1.2 dev neta proto static metric 20")
	s.pings(&s.a.Namespace, "10.0.2.1")

	testenv.Run(t, s.c.Path(), "ip", "link", "set", "site", "down")
	s.tunnelIs(overlay.TunnelDown, "")
	if said := s.a.weft("status"); !strings.Contains(said, "a: tunnel neta: down for ") {
		t.Errorf("weft status:\n%s", said)
	}
	testenv.Run(t, s.c.Path(), "ip", "link", "set", "site", "up")
	s.tunnelIs(overlay.TunnelUp, "10.0.2.0/24 via 10.1.1.2 dev neta proto static metric 20")

	s.a.kill()
	s.pings(&s.a.Namespace, "10.0.2.1")
	s.a.restart()
	s.tunnelIs(overlay.TunnelUp, "10.0.2.0/24 via 10.1.1.2 dev neta proto static metric 20")
	s.pings(&s.a.Namespace, "10.0.2.1")

	s.a.try("tunnel add other --mode vxlan --vni 7 --remote 192.0.2.12").refused(t, 5, "vxlan VNI 7 on UDP port 4789 on node a is taken by tunnel neta")
	s.a.weft("tunnel rm neta")
	testenv.Eventually(t, patience, func() error {
		now, err := s.a.picture()
		return errors.Join(err, picture(before).differs(now))
	}, "host a looks as before")
}

// tunnelIs waits until host a says this of its tunnel, and has this route to what is behind it.
func (s *session) tunnelIs(state overlay.TunnelState, route string) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error {
		var tunnels []struct{ Status overlay.TunnelReport }
		s.a.read(&tunnels, "tunnel ls")
		if len(tunnels) != 1 || tunnels[0].Status.State != state {
			return fmt.Errorf("tunnels: %+v", tunnels)
		}
		if got := testenv.Output(s.t, s.a.Path(), "ip", "route", "show", "10.0.2.0/24"); strings.Join(strings.Fields(got), " ") != route {
			return fmt.Errorf("route %q, want %q", got, route)
		}
		return nil
	}, "the tunnel is "+string(state))
}
