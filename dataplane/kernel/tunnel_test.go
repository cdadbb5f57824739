package kernel

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// peers are two hosts on one segment: a has a plane, b what somebody typed.
type tunnelPair struct {
	t    *testing.T
	a, b *bedHost
}

func newTunnelPair(t *testing.T) tunnelPair {
	t.Helper()
	b := newBed(t, 2)
	return tunnelPair{t, b.hosts[0], b.hosts[1]}
}

// tunnels is a State with tunnels that stand alone.
func tunnelState(all ...dataplane.Tunnel) dataplane.State {
	s := dataplane.State{Node: "a", Generation: 1, Tunnels: map[overlay.TunnelName]dataplane.Tunnel{}}
	for _, t := range all {
		s.Tunnels[t.Name] = t
	}
	return s
}

// tunnel is one to host b, over an underlay family.
func (p tunnelPair) tunnel(f overlay.Family, s overlay.TunnelSpec) dataplane.Tunnel {
	const name = "neta"
	s.Node, s.Plane, s.Remote = "a", overlay.PlaneKernel, p.b.underlay(f).String()
	if s.TTL.IsZero() {
		s.TTL.Hops = 64
	}
	return dataplane.Tunnel{
		Name: name, Spec: s.Complete(name), Local: p.a.underlay(f), Remote: p.b.underlay(f), MTU: 1400,
	}
}

func TestTunnelVXLAN(t *testing.T) {
	t.Parallel()
	p := newTunnelPair(t)
	tunnel := p.tunnel(overlay.V4, overlay.TunnelSpec{
		Mode: overlay.TunnelVXLAN, VNI: 20, Underlay: "eth0",
		Addresses: []netip.Prefix{netip.MustParsePrefix("1.1.1.1/24")},
		Routes:    []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.1.8.0/24"), Via: netip.MustParseAddr("1.1.1.2"), Metric: 20}},
	})
	p.b.run("ip", "link", "add", "vxlan0", "type", "vxlan", "id", "20", "dstport", "4789", "remote", p.a.underlay(overlay.V4).String(), "dev", "eth0")
	p.b.run("ip", "address", "add", "1.1.1.2/24", "dev", "vxlan0")
	p.b.run("ip", "link", "set", "vxlan0", "up")
	p.b.run("ip", "address", "add", "10.1.8.1/24", "dev", "lo")
	p.a.apply(tunnelState(tunnel))
	t.Log(testenv.Output(t, p.a.ns, "bridge", "fdb"))
	ping(t, p.a.ns, "10.1.8.1")
	t.Log(testenv.Output(t, p.a.ns, "bridge", "fdb"))
	for _, l := range Explain(tunnelState(tunnel), p.a.dir, nil) {
		t.Log(l)
	}
	seen, err := p.a.plane.Observe(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", seen.Tunnels["neta"])
	p.a.tunnelsSettled()
	p.a.silence()
	t.Log(testenv.Output(t, p.a.ns, "ip", "-d", "link", "show", "neta"))
	p.a.apply(tunnelState())
	if links := testenv.Output(t, p.a.ns, "ip", "-br", "link"); strings.Contains(links, "neta") {
		t.Errorf("the link is still there:\n%s", links)
	}
}

// tunnelsSettled fails the test if there is anything left to do.
func (h *bedHost) tunnelsSettled() {
	h.t.Helper()
	hand := newHand(h.ns)
	defer hand.Close()
	want := LowerTunnels(h.plane.want.Tunnels)
	have, err := h.plane.observeTunnels(hand, want, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, op := range Diff(want, have) {
		h.t.Errorf("not as wanted: %s", op)
	}
}

// What the kernel can do is found out by trying, and nothing is left of it.
func TestTunnelModesOfThisKernel(t *testing.T) {
	t.Parallel()
	modes, err := TunnelModes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"vxlan", "vxlan6"}; !slices.Equal(modes, want) {
		t.Errorf("modes %q, want %q", modes, want)
	}
}

// Tunnels that exchange what tells their packets apart are made again; one that gets what nobody has
// is changed in place.
func TestTunnelsExchange(t *testing.T) {
	t.Parallel()
	tunnel := func(name overlay.TunnelName, remote string) dataplane.Tunnel {
		s := overlay.TunnelSpec{Node: "a", Mode: overlay.TunnelGRE, Plane: overlay.PlaneKernel, Remote: remote}
		return dataplane.Tunnel{Name: name, Spec: s.Complete(name), Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr(remote), MTU: 1476}
	}
	objects := func(one, two string) Objects {
		return LowerTunnels(tunnelState(tunnel("one", one), tunnel("two", two)).Tunnels)
	}
	for _, c := range []struct {
		name, one, two string
		want           []string
	}{
		{"exchange", "192.0.2.3", "192.0.2.2", []string{"ip link delete one", "ip link delete two"}},
		{"another", "192.0.2.4", "192.0.2.3", []string{"ip link set one mtu 1476 type gre remote 192.0.2.4"}},
		{"one after the other", "192.0.2.3", "192.0.2.4", []string{"ip link delete two"}},
	} {
		var got []string
		for _, op := range Diff(objects(c.one, c.two), objects("192.0.2.2", "192.0.2.3")) {
			if s := op.String(); strings.Contains(s, "delete") || strings.Contains(s, "type gre remote") && !strings.Contains(s, "add") {
				got = append(got, s)
			}
		}
		if len(got) < len(c.want) || !slices.EqualFunc(got[:len(c.want)], c.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
