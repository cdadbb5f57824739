package control

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weft/overlay"
	"weft/store"
)

// book is what DNS says.
type book struct {
	mu   sync.Mutex
	said map[string]netip.Addr
}

func (b *book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.said[host]
	if !ok {
		return nil, &net.DNSError{Name: host, IsNotFound: true}
	}
	return []netip.Addr{a}, nil
}

func (b *book) say(host, a string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = map[string]netip.Addr{}
	if a != "" {
		b.said[host] = netip.MustParseAddr(a)
	}
}

func toSite(network overlay.NetworkName, name string) *overlay.Tunnel {
	return &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Network: network, Name: name},
		Spec: overlay.TunnelSpec{Node: "a", Mode: overlay.TunnelVXLAN, VNI: overlay.VNI(len(network)) + 1, Remote: "site.example"},
	}
}

// tunnelsOf are the reports of node a's tunnels, by name.
func tunnelsOf(t *testing.T, s store.Store) map[overlay.TunnelName]overlay.TunnelReport {
	t.Helper()
	self, err := find[*overlay.Node](t, s, overlay.Key{Kind: overlay.KindNode, Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[overlay.TunnelName]overlay.TunnelReport{}
	for _, r := range self.Status.Tunnels {
		found[r.Tunnel] = r
	}
	return found
}

// TestPeers: a name is followed within 3 s, reported, and remembered over a restart while
// DNS says nothing.
func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache, dns := world(t), cachePath(t), &book{}
		slow := func(o *Options) { o.Resolver, o.PeersPath = dns, cache+".peers" }
		n := start(t, s, cache, slow)
		put(t, s, toSite("", "neta"))
		put(t, s, toSite("blue", "shop"))
		expect := func(state overlay.TunnelState, remote string) {
			t.Helper()
			var want netip.Addr
			if remote != "" {
				want = netip.MustParseAddr(remote)
			}
			n.hands.mu.Lock()
			have := n.hands.have
			n.hands.mu.Unlock()
			if got := have.Tunnels["neta"].Remote; got != want {
				t.Errorf("the plane has remote %s, want %s", got, want)
			}
			if p := have.Networks["blue"].Ports["tunnel/shop"]; p.Tunnel == nil || p.Tunnel.Remote != want {
				t.Errorf("the plane has port %+v, want remote %s", p, want)
			}
			pass(time.Second) // the report
			for _, name := range []overlay.TunnelName{"neta", "shop"} {
				if r := tunnelsOf(t, s)[name]; r.State != state || r.Remote != want || r.Plane != overlay.PlaneKernel {
					t.Errorf("reported %+v, want %s, remote %s", r, state, want)
				}
			}
		}
		pass(time.Second)
		expect(overlay.TunnelUnresolved, "")
		for _, address := range []string{"198.51.100.7", "198.51.100.8"} {
			dns.say("site.example", address)
			pass(2 * time.Second)
			expect(overlay.TunnelUp, address)
		}
		n.stop()
		dns.say("", "")
		n = start(t, s, cache, slow)
		pass(2 * time.Second)
		expect(overlay.TunnelUp, "198.51.100.8")

		n.gate.cutOff(store.ErrUnavailable)
		n.stop()
		n = start(t, s, cache, func(o *Options) { slow(o); o.Store.(*gate).cutOff(store.ErrUnavailable) })
		pass(5 * time.Second)
		if got := n.hands.have.Tunnels["neta"].Remote.String(); got != "198.51.100.8" {
			t.Errorf("without a server the remote is %s", got)
		}
	})
}

// TestPeersByName: what is known of one name says nothing of another, also over a restart, and
// this node's own address is no peer's.
func TestPeersByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache, dns := world(t), cachePath(t), &book{}
		options := func(o *Options) { o.Resolver, o.PeersPath = dns, cache+".peers" }
		n := start(t, s, cache, options)
		to := func(remote string) {
			site := toSite("", "neta")
			site.Spec.Remote = remote
			put(t, s, site)
		}
		expect := func(want, why string) {
			t.Helper()
			pass(3 * time.Second)
			r := tunnelsOf(t, s)["neta"]
			if got := n.hands.have.Tunnels["neta"].Remote; got != r.Remote || got.IsValid() != (want != "") || want != "" && got.String() != want {
				t.Errorf("the plane has remote %s, and %s is reported; want %q", got, r.Remote, want)
			}
			if r.Why != why || (r.State == overlay.TunnelUnresolved) != (want == "") {
				t.Errorf("reported %+v, want %q", r, why)
			}
		}
		dns.say("site.example", "198.51.100.7")
		to("site.example")
		expect("198.51.100.7", "")
		to("nope.example")
		expect("", "nope.example has no IPv4 address in DNS")
		to("198.51.100.9")
		expect("198.51.100.9", "")
		n.stop()
		to("nope.example")
		dns.say("nope.example", "192.0.2.11")
		n = start(t, s, cache, options)
		expect("", "nope.example stands for 192.0.2.11, which is this node's own address")
	})
}

// TestPeersAreForgotten: nothing is known of a tunnel that is gone.
func TestPeersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache, dns := world(t), cachePath(t), &book{}
		dns.say("site.example", "198.51.100.7")
		n := start(t, s, cache, func(o *Options) { o.Resolver, o.PeersPath = dns, cache+".peers" })
		neta := put(t, s, toSite("", "neta"))
		pass(3 * time.Second)
		if _, _, err := s.Update(t.Context(), store.Change{Delete: neta.Key(), Expect: store.Any}); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Second)
		if len(n.hands.have.Tunnels) != 0 || len(n.peers.known) != 0 || len(tunnelsOf(t, s)) != 0 {
			t.Errorf("left over: %v, %v, %v", n.hands.have.Tunnels, n.peers.known, tunnelsOf(t, s))
		}
	})
}
