package kernel

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// withTunnel is host a's State with a tunnel to host b that is a part of the network.
func (n testNet) withTunnel(t *testing.T, s overlay.TunnelSpec) (tunnelPair, dataplane.State) {
	p := tunnelPair{t, n.bed.hosts[0], n.bed.hosts[1]}
	tunnel := p.tunnel(overlay.V4, s)
	state := n.state(0)
	name := overlay.EndpointName("tunnel/neta")
	state.Networks["blue"].Ports[name] = dataplane.Port{
		Name: name, Kind: overlay.PortSegment, Device: "neta",
		Attach: overlay.Attach{Type: overlay.AttachTunnel, Target: "neta"}, Tunnel: &tunnel,
	}
	return p, state
}

// A tunnel in a bridged network is a port of its bridge: whoever is behind it is a station.
func TestTunnelAttachedBridged(t *testing.T) {
	t.Parallel()
	tunnelAttachedBridged(t, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, VNI: 42}, "type vxlan id 42 dstport 4789 remote 192.0.2.1")
}

func tunnelAttachedBridged(t *testing.T, s overlay.TunnelSpec, typed string) {
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	p, state := n.withTunnel(t, s)
	batch := "link add peer0 address " + vxlanFar.String() + " mtu 1400 " + typed + "\naddress add 10.7.0.200/16 dev peer0\nlink set peer0 up\n"
	if _, err := feed(p.b.ns, batch, "ip", "-batch", "-"); err != nil {
		t.Fatal(err)
	}
	p.a.apply(state)
	p.a.settled()
	ping(t, n.workloads[0], "10.7.0.200", "-W10")
	ip := netip.MustParseAddr("10.7.0.200")
	for {
		e := p.a.event()
		if e.Kind == dataplane.EventStation && e.Port == "tunnel/neta" && e.Station.MAC == vxlanFar && slices.Contains(e.Station.Addresses, ip) {
			break
		}
	}
	p.counted()
	seen, err := p.a.plane.Observe(t.Context(), "blue")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range seen.Networks["blue"].FDB {
		if e.Device == "neta" && e.Port != "tunnel/neta" {
			t.Errorf("the tunnel is not said to be the port of %+v", e)
		}
	}
	p.detached(t, n)
}

// A tunnel in a routed network leads to its routes.
func tunnelAttachedRouted(t *testing.T, s overlay.TunnelSpec, typed string) {
	n := newTestNet(t, 2, overlay.Routed, overlay.V4)
	s.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.99.0.0/24")}}
	p, state := n.withTunnel(t, s)
	batch := "link add peer0 mtu 1400 " + typed + "\naddress add 10.99.0.1/24 dev lo\nlink set peer0 up\nroute add 10.7.0.0/16 dev peer0\n"
	if _, err := feed(p.b.ns, batch, "ip", "-batch", "-"); err != nil {
		t.Fatal(err)
	}
	p.a.apply(state)
	p.a.settled()
	ping(t, n.workloads[0], "10.99.0.1", "-W10")
	p.counted()
	p.detached(t, n)
}

// counted fails the test unless the tunnel is said to have carried packets both ways.
func (p tunnelPair) counted() {
	p.t.Helper()
	seen, err := p.a.plane.Compare(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if c := seen.Networks["blue"].Tunnels["neta"]; c == nil || c.From.Packets == 0 || c.To.Packets == 0 {
		p.t.Errorf("the tunnel has carried %+v", c)
	}
}

// detached: without its port there is nothing of the tunnel, and the network is as before.
func (p tunnelPair) detached(t *testing.T, n testNet) {
	t.Helper()
	p.a.apply(n.state(0))
	p.a.settled()
	for _, ns := range []string{p.a.ns, string(DomainNS(p.a.dir, "blue"))} {
		if links := testenv.Output(t, ns, "ip", "-br", "link"); strings.Contains(links, "neta") || strings.Contains(links, "wfnew") {
			t.Errorf("something is left:\n%s", links)
		}
	}
}
