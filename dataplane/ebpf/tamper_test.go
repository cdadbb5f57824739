package ebpf

import (
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// tampering is something that somebody does to what the plane has made.
type tampering struct {
	name string
	do   func(t testing.TB, b *bed)
	// seen is what Observe says of it.
	seen string
}

func tamperings() []tampering {
	return []tampering{
		{"station deleted", deleteAny(stations), "map stations"},
		{"station changed", changeAny(stations, func(s *programsStation) { s.Vtep.Word[3]++ }), "map stations"},
		{"neighbour deleted", deleteAny(neighbors), "map neighbors"},
		{"neighbour changed", changeAny(neighbors, func(n *programsNeighbor) { n.Mac.Byte[5]++ }), "map neighbors"},
		{"member deleted", deleteAny(members), "map members"},
		{"stranger added", func(t testing.TB, b *bed) {
			set(t, b.programs.objects.Members, addressKey(vniOf("blue"), carol.ip), uint32(1))
		}, "map members"},
		{"source forbidden", deleteAny(allowed), "map allowed"},
		{"port deleted", deleteAny(ports), "map ports"},
		{"port of another network", changeAny(ports, func(p *programsPort) { p.Vni++ }), "map ports"},
		{"network deleted", deleteAny(networks), "map networks"},
		{"network changed", changeAny(networks, func(n *programsNetwork) { n.Mtu-- }), "map networks"},
		{"receiver of broadcast deleted", deleteAny(floods), "map floods"},
		{"tunnel deleted", deleteAny(tunnels), "map tunnels"},

		{"port without a program", unpin("blue-alice", onPort), "no program on device"},
		{"gateway without a program", unpin(gatewayDevice("blue"), onGateway), "no program on device"},
		{"underlay without a program", unpin("eth0", onUnderlay), "no program on device"},
		{"tunnel without a program", unpin(tunnelDevice("blue"), onTunnel), "no program on device"},
		{"tunnel that merges", func(t testing.TB, b *bed) {
			testenv.Run(t, b.on.Namespace, "ethtool", "-K", tunnelDevice("blue"), "gro", "on")
		}, "gro off"},
		{"program detached", detach("blue-bob", onPort), "no program on device"},
		{"device of a port deleted", func(t testing.TB, b *bed) {
			testenv.Run(t, b.on.Namespace, "ip", "link", "delete", "blue-alice")
		}, "no device of port alice"},
	}
}

// The maps, and what a bed has in them.
func stations(p *Programs, t Tables) (*ebpf.Map, map[programsStationKey]programsStation) {
	return p.objects.Stations, t.stations
}

func neighbors(p *Programs, t Tables) (*ebpf.Map, map[programsAddressKey]programsNeighbor) {
	return p.objects.Neighbors, t.neighbors
}

func members(p *Programs, t Tables) (*ebpf.Map, map[programsAddressKey]uint32) {
	return p.objects.Members, t.members
}

func allowed(p *Programs, t Tables) (*ebpf.Map, map[programsAllowedKey]uint8) {
	return p.objects.Allowed, t.allowed
}

func ports(p *Programs, t Tables) (*ebpf.Map, map[uint32]programsPort) {
	return p.objects.Ports, t.ports
}

func networks(p *Programs, t Tables) (*ebpf.Map, map[uint32]programsNetwork) {
	return p.objects.Networks, t.networks
}

func floods(p *Programs, t Tables) (*ebpf.Map, map[programsFloodKey]programsFlood) {
	return p.objects.Floods, t.floods
}

func tunnels(p *Programs, t Tables) (*ebpf.Map, map[programsTunnelKey]uint32) {
	return p.objects.Tunnels, t.tunnels
}

// deleteAny deletes some entry of a map.
func deleteAny[K, V comparable](of func(*Programs, Tables) (*ebpf.Map, map[K]V)) func(testing.TB, *bed) {
	return func(t testing.TB, b *bed) {
		m, entries := of(b.programs, b.tables(t, "blue"))
		for k := range entries {
			if err := m.Delete(k); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Fatal("there is no entry")
	}
}

// changeAny changes some entry of a map.
func changeAny[K, V comparable](of func(*Programs, Tables) (*ebpf.Map, map[K]V), change func(*V)) func(testing.TB, *bed) {
	return func(t testing.TB, b *bed) {
		m, entries := of(b.programs, b.tables(t, "blue"))
		for k, v := range entries {
			change(&v)
			set(t, m, k, v)
			return
		}
		t.Fatal("there is no entry")
	}
}

func set(t testing.TB, m *ebpf.Map, k, v any) {
	t.Helper()
	if err := m.Put(k, v); err != nil {
		t.Fatal(err)
	}
}

// pin is the file of a device's program.
func (b *bed) pin(t testing.TB, device string, r role) string {
	t.Helper()
	return pinnedLinks{dir: b.programs.links()}.pin(attachment{uint32(b.devices(t)[device]), r})
}

func unpin(device string, r role) func(testing.TB, *bed) {
	return func(t testing.TB, b *bed) {
		if err := os.Remove(b.pin(t, device, r)); err != nil {
			t.Fatal(err)
		}
		b.awaitDetached(t, device)
	}
}

// detach leaves a link that is attached to nothing.
func detach(device string, r role) func(testing.TB, *bed) {
	return func(t testing.TB, b *bed) {
		l, err := link.LoadPinnedLink(b.pin(t, device, r), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := l.Detach(); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever somebody does is seen, and repaired by the next comparison.
func TestTampering(t *testing.T) {
	t.Parallel()
	b := newBed(t, overlay.AttachVeth)
	state := stateWith("blue")
	b.apply(t, state)
	for _, c := range tamperings() {
		t.Run(c.name, func(t *testing.T) {
			c.do(t, b)
			seen := strings.Join(differs(t, b.Plane), "\n")
			if !strings.Contains(seen, c.seen) {
				t.Errorf("want %q to be seen, got %q", c.seen, seen)
			}
			b.apply(t, state)
			b.settled(t)
			b.passes(t, "blue")
		})
	}
	b.apply(t, dataplane.State{Node: "a"})
	b.empty(t, "blue")
}
