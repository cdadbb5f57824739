package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
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
	for e := a.event(); e.Kind != dataplane.EventStationGone || e.Station.MAC != mac; e = a.event() {
		t.Logf("%v", e)
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
