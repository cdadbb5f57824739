package control

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
)

// find reads one resource.
func find[R overlay.Resource](t *testing.T, s store.Store, k overlay.Key) (found R, err error) {
	t.Helper()
	err = store.ErrNotFound
	stop := errors.New("stop")
	watchErr := s.Watch(context.Background(), store.Interest{Kinds: []overlay.Kind{k.Kind}}, overlay.Revision{}, func(b store.Batch) error {
		for _, r := range b.Puts {
			if r.Key() == k {
				found, err = r.(R), nil
			}
		}
		return stop
	})
	if !errors.Is(watchErr, stop) {
		t.Fatal(watchErr)
	}
	return found, err
}

func TestBoundEndpointGoesWithItsNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		e := put(t, s, web("blue", "web", "a", 5))
		n := start(t, s, cachePath(t), nil)
		pass(time.Second)
		if _, err := find[*overlay.Endpoint](t, s, e.Key()); err != nil {
			t.Fatalf("while the namespace lives: %v", err)
		}
		n.namespaces.Store("/ns/web", "another namespace")
		n.hands.events <- dataplane.Event{Kind: dataplane.EventPortGone, Network: "blue", Port: "web"}
		pass(time.Second)
		if _, err := find[*overlay.Endpoint](t, s, e.Key()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after its namespace was replaced: %v, want it detached", err)
		}
	})
}

// TestNamespaceGoesUnannounced: a name can go while what it named lives on, and then no
// port has gone.
func TestNamespaceGoesUnannounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		e := put(t, s, web("blue", "web", "a", 5))
		n := start(t, s, cachePath(t), nil)
		n.expect("full blue[web]")
		n.namespaces.Store("/ns/web", "")
		pass(2 * namespaceEvery)
		n.expect("delta ")
		if _, err := find[*overlay.Endpoint](t, s, e.Key()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v, want it detached", err)
		}
	})
}

// TestNamespaceThatCannotBeLookedAt is none that is gone.
func TestNamespaceThatCannotBeLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		e := put(t, s, web("blue", "web", "a", 5))
		start(t, s, cachePath(t), func(o *Options) {
			o.Namespace = func(string) (string, error) { return "", errors.New("too many open files") }
		})
		pass(time.Minute)
		if _, err := find[*overlay.Endpoint](t, s, e.Key()); err != nil {
			t.Error(err)
		}
	})
}

// TestTamperedPortStays: a port that was deleted under a living namespace is made again.
func TestTamperedPortStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		e := put(t, s, web("blue", "web", "a", 5))
		n := start(t, s, cachePath(t), nil)
		n.expect("full blue[web]")
		n.hands.events <- dataplane.Event{Kind: dataplane.EventPortGone, Network: "blue", Port: "web"}
		n.expect("full blue[web]")
		if _, err := find[*overlay.Endpoint](t, s, e.Key()); err != nil {
			t.Error(err)
		}
	})
}

// TestManyPortsGoAtOnce: one Apply answers all that the plane has announced.
func TestManyPortsGoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, web("blue", "web", "a", 5))
		n := start(t, s, cachePath(t), nil)
		n.expect("full blue[web]")
		n.do(n.ctx, func(context.Context) { // the loop itself, so it takes none before all are there
			for range 10 {
				n.hands.events <- dataplane.Event{Kind: dataplane.EventPortGone, Network: "blue", Port: "web"}
			}
		})
		n.expect("full blue[web]")
	})
}

func TestKeptEndpointComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		kept := web("blue", "web", "a", 5)
		kept.Spec.Lifetime = overlay.Kept
		kept = put(t, s, kept)
		var booted atomic.Bool
		n := start(t, s, cachePath(t), func(o *Options) {
			o.Namespace = func(string) (string, error) {
				if !booted.Load() {
					return "", nil
				}
				return "id-after-reboot", nil
			}
		})
		pass(10 * time.Second)
		if got := n.hands.did(); got == "" {
			t.Error("the agent did nothing")
		}
		booted.Store(true)
		pass(2 * time.Second)
		got, err := find[*overlay.Endpoint](t, s, kept.Key())
		if err != nil || got.Spec.Attach.Identity != "id-after-reboot" || got.UID != kept.UID {
			t.Errorf("endpoint %+v, %v: want the same one, in the new namespace", got, err)
		}
	})
}

func TestStationsArePublishedAndWithdrawn(t *testing.T) {
	stationsArePublishedAndWithdrawn(t, "lan", &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "lan"},
		Spec: overlay.EndpointSpec{Node: "a", Port: overlay.PortSegment, Attach: overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}},
	})
}

func TestStationsBehindTunnelsArePublishedAndWithdrawn(t *testing.T) {
	stationsArePublishedAndWithdrawn(t, "tunnel/site", &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Network: "blue", Name: "site"},
		Spec: overlay.TunnelSpec{Node: "a", Mode: overlay.TunnelGRETAP, Remote: "192.0.2.9"},
	})
}

func stationsArePublishedAndWithdrawn(t *testing.T, port overlay.EndpointName, behind overlay.Resource) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, behind)
		n := start(t, s, cachePath(t), nil)
		mac := overlay.MAC{2, 0, 0, 0, 0, 9}
		key := overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: string(overlay.StationName(mac))}
		seen := dataplane.Event{Kind: dataplane.EventStation, Network: "blue", Port: port, Station: dataplane.Station{
			MAC: mac, Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.77"), netip.MustParseAddr("192.168.1.1")},
		}}
		n.hands.events <- seen
		pass(time.Second)
		got, err := find[*overlay.Endpoint](t, s, key)
		if err != nil || got.Spec.Via != port || len(got.Spec.Addresses) != 1 || got.Spec.Addresses[0] != netip.MustParseAddr("10.7.0.77") {
			t.Fatalf("station %+v, %v: want it published with its address in the subnet", got, err)
		}
		seen.Kind = dataplane.EventStationGone
		n.hands.events <- seen
		pass(time.Second)
		if _, err := find[*overlay.Endpoint](t, s, key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after it aged out: %v, want it withdrawn", err)
		}
	})
}

// TestStationKeepsItsAddresses: one that an earlier run published with addresses, and
// that is now known by its MAC, is not published anew; what it says is added.
func TestStationKeepsItsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, &overlay.Endpoint{
			Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "lan"},
			Spec: overlay.EndpointSpec{Node: "a", Port: overlay.PortSegment, Attach: overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}},
		})
		ip, other := netip.MustParseAddr("10.7.0.77"), netip.MustParseAddr("10.7.0.78")
		station := put(t, s, &overlay.Endpoint{
			Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "station-020000000009"},
			Spec: overlay.EndpointSpec{
				Node: "a", Port: overlay.PortStation, MAC: overlay.MAC{2, 0, 0, 0, 0, 9}, Via: "lan", Addresses: []netip.Addr{ip},
			},
		})
		n := start(t, s, cachePath(t), nil)
		seen := dataplane.Event{
			Kind: dataplane.EventStation, Network: "blue", Port: "lan", Station: dataplane.Station{MAC: station.Spec.MAC},
		}
		n.hands.events <- seen
		pass(time.Second)
		if got, err := find[*overlay.Endpoint](t, s, station.Key()); err != nil || got.Revision != station.Revision {
			t.Errorf("seen without addresses: %+v, %v: want it left alone", got, err)
		}
		seen.Station.Addresses = []netip.Addr{other}
		n.hands.events <- seen
		pass(time.Second)
		got, err := find[*overlay.Endpoint](t, s, station.Key())
		if err != nil || !slices.Equal(got.Spec.Addresses, []netip.Addr{ip, other}) {
			t.Errorf("seen with another address: %+v, %v: want both", got, err)
		}
	})
}

// TestStationsOfAnEarlierRun: what this run never saw is withdrawn after the bridge's ageing time.
func TestStationsOfAnEarlierRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, &overlay.Endpoint{
			Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "lan"},
			Spec: overlay.EndpointSpec{Node: "a", Port: overlay.PortSegment, Attach: overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}},
		})
		station := put(t, s, &overlay.Endpoint{
			Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "station-020000000009"},
			Spec: overlay.EndpointSpec{Node: "a", Port: overlay.PortStation, MAC: overlay.MAC{2, 0, 0, 0, 0, 9}, Via: "lan"},
		})
		start(t, s, cachePath(t), nil)
		pass(stationGrace - time.Minute)
		if _, err := find[*overlay.Endpoint](t, s, station.Key()); err != nil {
			t.Fatalf("withdrawn too early: %v", err)
		}
		pass(3 * time.Minute)
		if _, err := find[*overlay.Endpoint](t, s, station.Key()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after the grace: %v, want it withdrawn", err)
		}
	})
}
