package kernel

import (
	"context"
	"errors"
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
)

// withSegment gives host i a foreign bridge with a station behind it, and the network
// a segment port on that.
func (n testNet) withSegment(t *testing.T, i int, mac overlay.MAC, address string) (s dataplane.State, station string) {
	t.Helper()
	h := n.bed.hosts[i]
	station = testenv.Namespace(t)
	testenv.Run(t, h.ns, "ip", "link", "add", "virbr0", "type", "bridge")
	testenv.Run(t, h.ns, "ip", "link", "set", "virbr0", "addrgenmode", "none")
	testenv.Run(t, h.ns, "ip", "link", "set", "virbr0", "up")
	testenv.Run(t, h.ns, "ip", "link", "add", "st0", "type", "veth", "peer", "name", "eth0", "netns", station, "address", mac.String())
	testenv.Run(t, h.ns, "ip", "link", "set", "st0", "addrgenmode", "none")
	testenv.Run(t, h.ns, "ip", "link", "set", "st0", "master", "virbr0", "up")
	testenv.Run(t, station, "ip", "address", "add", address, "dev", "eth0")
	testenv.Run(t, station, "ip", "link", "set", "eth0", "up", "mtu", fmt.Sprint(n.spec.MTU))
	s = n.state(i)
	s.Networks["blue"].Ports["office"] = dataplane.Port{
		Name: "office", Kind: overlay.PortSegment, Device: "woffice",
		Attach: overlay.Attach{Type: overlay.AttachBridge, Target: "virbr0"},
	}
	return s, station
}

// Stations behind a bridge of somebody else's are learnt, with their addresses, reach
// and are reached from another node, and age.
func TestSegment(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	mac, ip := overlay.MAC{2, 0, 0, 0, 1, 1}, netip.MustParseAddr("10.7.0.200")
	here, station := n.withSegment(t, 0, mac, "10.7.0.200/16")
	there := n.state(1)
	a, b := n.bed.hosts[0], n.bed.hosts[1]
	a.apply(here)
	a.settled()
	b.apply(there)
	ping(t, station, n.endpoint(0).Addresses[0].String())
	for {
		e := a.event()
		if e.Station.MAC != mac {
			continue // the host's own, by its bridge
		}
		if e.Kind != dataplane.EventStation || e.Network != "blue" || e.Port != "office" {
			t.Fatalf("event %v", e)
		}
		if slices.Contains(e.Station.Addresses, ip) {
			break
		}
	}
	there.Networks["blue"].Remotes[mac] = "a"
	there.Networks["blue"].Neighbors[ip] = mac
	b.apply(there)
	ping(t, n.workloads[1], ip.String())
	ping(t, station, n.endpoint(1).Addresses[0].String())
	ping(t, station, n.spec.Gateways[0].Addr().String())
	a.settled()

	testenv.Run(t, string(DomainNS(a.dir, "blue")), "ip", "link", "set", "br0", "type", "bridge", "ageing_time", "100")
	testenv.Run(t, station, "ip", "link", "set", "eth0", "down")
	// It ages within a second, and is given another in case its port is being made again.
	for late := time.After(10 * time.Second); ; {
		select {
		case e := <-a.plane.Events():
			if e.Kind == dataplane.EventStationGone && e.Station.MAC == mac {
				return
			}
			t.Logf("%v", e)
		case <-late:
			t.Fatal("the station does not age")
		}
	}
}

// A plane that starts finds the stations that the bridge knows.
func TestSegmentAfterRestart(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	mac := overlay.MAC{2, 0, 0, 0, 1, 1}
	here, station := n.withSegment(t, 0, mac, "10.7.0.200/16")
	h := n.bed.hosts[0]
	h.apply(here)
	ping(t, station, n.endpoint(0).Addresses[0].String())
	h.event()
	if err := h.plane.Close(); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.apply(here)
	for e := h.event(); e.Kind != dataplane.EventStation || e.Station.MAC != mac; e = h.event() {
		t.Logf("%v", e)
	}
}

// Stations do not age because the bridge or their port is deleted, however long that
// takes to repair, and what is made in its place knows those that were published.
func TestSegmentIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"br0", "woffice"} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
			mac := overlay.MAC{2, 0, 0, 0, 1, 1}
			s, station := n.withSegment(t, 0, mac, "10.7.0.200/16")
			h := n.bed.hosts[0]
			h.apply(s)
			ping(t, station, n.endpoint(0).Addresses[0].String())
			for e := h.event(); e.Kind != dataplane.EventStation || e.Station.MAC != mac; e = h.event() {
				t.Logf("%v", e)
			}
			domain := string(DomainNS(h.dir, "blue"))
			testenv.Run(t, domain, "ip", "link", "delete", link)
			for late := time.After(stationGrace + 5*stationTick); ; {
				select {
				case e := <-h.plane.Events():
					if e.Kind == dataplane.EventStationGone {
						t.Errorf("event %+v", e)
					}
					continue
				case <-late:
				}
				break
			}
			p := s.Networks["blue"].Ports["office"]
			p.Stations = []overlay.MAC{mac}
			s.Networks["blue"].Ports["office"] = p
			h.apply(s)
			if fdb := testenv.Output(t, domain, "bridge", "fdb", "show", "dev", "woffice"); !strings.Contains(fdb, mac.String()) {
				t.Errorf("the bridge does not know %s:\n%s", mac, fdb)
			}
		})
	}
}

// A station that moves from another node is announced as soon as it says something,
// and a port's own MAC, or the gateway's, is nobody's to take.
func TestSegmentMove(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	mac := overlay.MAC{2, 0, 0, 0, 1, 1}
	here, station := n.withSegment(t, 0, mac, "10.7.0.200/16")
	here.Networks["blue"].Remotes[mac] = "b"
	h := n.bed.hosts[0]
	h.apply(here)
	say(station)
	for e := h.event(); e.Kind != dataplane.EventStation || e.Station.MAC != mac; e = h.event() {
		t.Logf("%v", e)
	}
	taken := []overlay.MAC{n.endpoint(0).MAC, n.spec.GatewayMAC}
	for _, m := range taken {
		testenv.Run(t, station, "ip", "link", "set", "eth0", "address", m.String())
		say(station)
	}
	// The host itself is a station too, by its bridge: that one may speak.
	for quiet := time.After(10 * patience); ; {
		select {
		case e := <-h.plane.Events():
			if slices.Contains(taken, e.Station.MAC) || e.Kind == dataplane.EventChanged {
				t.Errorf("event %+v", e)
			}
			continue
		case <-quiet:
		}
		break
	}
	ping(t, n.workloads[0], n.spec.Gateways[0].Addr().String())
}

// say has a namespace ask for an address that nobody has.
func say(ns string) {
	// Nobody answers, so it fails.
	_, _ = netns.Output(context.Background(), ns, "ping", "-c1", "-W0.1", "10.7.99.99")
}

// Joining somebody else's bridge changes nothing about it: its MAC stays.
func TestJoinedBridgeKeepsItsMAC(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	s, _ := n.withSegment(t, 0, overlay.MAC{2, 0, 0, 0, 1, 1}, "10.7.0.200/16")
	h := n.bed.hosts[0]
	h.run("ip", "link", "set", "st0", "address", "fc:ff:ff:ff:ff:ff") // the bridge's, too
	before := testenv.Output(t, h.ns, "ip", "-br", "link", "show", "virbr0")
	if !strings.Contains(before, "fc:ff:ff:ff:ff:ff") {
		t.Fatalf("the bridge has no MAC of its port's: %s", before)
	}
	h.apply(s)
	if after := testenv.Output(t, h.ns, "ip", "-br", "link", "show", "virbr0"); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
}

// The host's own stack has nothing to say on Weft's links, though it routes and so
// reports the routers' groups everywhere else: no port counts its frames as spoofed.
func TestHostSaysNothing(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 1, overlay.Bridged, overlay.V4)
	h := n.bed.hosts[0]
	h.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
	s := n.state(0)
	net := s.Networks["blue"]
	attached(overlay.AttachTap, "tap0")(&net)
	h.apply(s)
	h.settled()
	h.run("ip", "link", "add", "x0", "type", "veth", "peer", "name", "x1")
	h.run("ip", "link", "set", "x1", "up")
	h.run("ip", "link", "set", "x0", "up")
	sent := func(device string) string {
		return testenv.Output(t, h.ns, "awk", "$1 == \""+device+":\" { print $11 }", "/proc/net/dev")
	}
	testenv.Eventually(t, 10*time.Second, func() error {
		if sent("x0") == "0\n" {
			return errors.New("nothing")
		}
		return nil
	}, "the host reports its groups on a link that is not Weft's")
	if n := sent("we0"); n != "0\n" {
		t.Errorf("the host has sent %s packets by Weft's link", n)
	}
	seen, err := h.plane.Observe(t.Context(), "blue")
	if err != nil || seen.Networks["blue"].Drops[overlay.DropSpoofedMAC] != 0 {
		t.Errorf("drops %v, %v", seen.Networks["blue"].Drops, err)
	}
}
