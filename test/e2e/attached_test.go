package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestTunnelInANetwork: tunnels to hosts without Weft are parts of networks on the eBPF plane. They
// carry on without the agent, are put right when somebody changes them, go to the other plane
// and back with their network, and leave nothing when they are removed.
func TestTunnelInANetwork(t *testing.T) {
	t.Parallel()
	s := hosts(t)
	s.a.startServer()
	before, err := s.a.picture()
	if err != nil {
		t.Fatal(err)
	}
	s.a.weft("network create seg --subnet 10.61.0.0/24")
	s.a.weft("network create site --kind routed --subnet 10.62.0.0/16")
	s.a.weft("network create post --kind routed --subnet 10.64.0.0/16")
	w, r, u := s.a.attach("seg"), s.a.attach("site"), s.a.attach("post")
	for _, line := range []string{ // what strangers type, on c
		"link add far type vxlan id 61 local 198.51.100.13 remote 192.0.2.11 dstport 4789", "link set far mtu 1400 up",
		"address add 10.61.0.200/24 dev far",
	} {
		testenv.Run(t, s.c.Path(), append([]string{"ip"}, strings.Fields(line)...)...)
	}
	s.a.weft("tunnel add far --network seg --mode vxlan --vni 61 --remote 198.51.100.13")
	s.pings(w.Namespace, "10.61.0.200")
	if err := s.a.isOn("seg", overlay.PlaneEBPF); err != nil {
		t.Error(err)
	}
	if said := s.a.weft("fdb seg"); !strings.Contains(said, "tunnel/far") {
		t.Errorf("weft fdb has no station behind the tunnel:\n%s", said)
	}
	if said := s.a.weft("explain"); !strings.Contains(said, "vxlan id 61") {
		t.Errorf("weft explain does not have the tunnel:\n%s", said)
	}
	s.carryPackets()
	s.pings(r.Namespace, "10.99.62.2")
	s.pings(u.Namespace, "10.99.64.2")
	if said := s.a.weft("tunnel show post/near"); !strings.Contains(said, "user (the only plane that does mode udp)") {
		t.Errorf("it is not said why the tunnel is on its plane:\n%s", said)
	}
	if said := s.a.weft("tunnel stats seg/far site/near post/near"); strings.Contains(said, "not counted") {
		t.Errorf("what tunnels in networks carry is not said:\n%s", said)
	}

	s.a.kill()
	s.pings(w.Namespace, "10.61.0.200")
	s.pings(r.Namespace, "10.99.62.2")
	s.pings(u.Namespace, "10.99.64.2")
	s.a.restart()
	testenv.Eventually(t, patience, s.a.differs, "host a is as it should be")

	testenv.Run(t, s.a.Path(), "ip", "link", "delete", "far")
	s.pings(w.Namespace, "10.61.0.200")
	domain := filepath.Join(s.a.Dir(), "run", "netns", "weft-site")
	testenv.Run(t, domain, "ip", "link", "delete", "near")
	s.pings(r.Namespace, "10.99.62.2")

	for _, plane := range []overlay.PlaneName{overlay.PlaneKernel, overlay.PlaneEBPF} {
		s.a.weft("node migrate-plane a seg --to %s", plane)
		s.a.weft("node migrate-plane a post --to %s", plane)
		s.a.try("node migrate-plane a site --to %s --wait 2s", plane) // not every kernel has gre
		s.pings(w.Namespace, "10.61.0.200")
		s.pings(u.Namespace, "10.99.64.2")
	}
	s.pings(r.Namespace, "10.99.62.2")
	testenv.Eventually(t, patience, s.a.differs, "host a is as it should be")

	for _, line := range []string{
		"tunnel rm seg/far site/near post/near back1 back2", "endpoint detach seg/seg-a", "endpoint detach site/site-a", "endpoint detach post/post-a",
		"network rm seg", "network rm site", "network rm post",
	} {
		s.a.weft("%s", line)
	}
	testenv.Eventually(t, patience, func() error {
		now, err := s.a.picture()
		return errors.Join(err, picture(before).differs(now))
	}, "host a looks as before")
}

// carryPackets gives the routed network tunnels to b, which knows nothing of the network: of
// programs, which say whether b answers, and of the user plane.
func (s *session) carryPackets() {
	s.t.Helper()
	s.b.startAgent(s.token())
	for _, line := range []string{
		"tunnel add back1 --node b --mode gre --key 62 --remote 192.0.2.11 --addr 10.99.62.2/24 --route 10.62.0.0/16",
		"tunnel add near --network site --mode gre --key 62 --remote 192.0.2.12 --route 10.99.62.0/24 --keepalive 10.99.62.2,interval=200ms",
		"tunnel add back2 --node b --mode udp --port 9000 --remote 192.0.2.11 --addr 10.99.64.2/24 --route 10.64.0.0/16",
		"tunnel add near --network post --device near2 --mode udp --port 9000 --remote 192.0.2.12 --route 10.99.64.0/24",
	} {
		s.a.weft("%s", line)
	}
	s.nearIs(overlay.TunnelUp)
	testenv.Run(s.t, s.b.Path(), "ip", "link", "set", "eth0", "down")
	s.nearIs(overlay.TunnelDown)
	testenv.Run(s.t, s.b.Path(), "ip", "link", "set", "eth0", "up")
	s.nearIs(overlay.TunnelUp)
}

// nearIs waits until host a says this of the tunnel whose peer is asked.
func (s *session) nearIs(state overlay.TunnelState) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error {
		var shown struct{ Status overlay.TunnelReport }
		s.a.read(&shown, "tunnel show site/near")
		if shown.Status.State != state {
			return fmt.Errorf("%+v", shown)
		}
		return nil
	}, "the tunnel is "+string(state))
}
