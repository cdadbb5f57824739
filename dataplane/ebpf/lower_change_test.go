package ebpf

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// drawNetwork draws what of a network is not its settings, over pools so small that two
// have much in common and much in conflict.
func drawNetwork(t *rapid.T, s dataplane.Settings, label string) dataplane.Network {
	n := dataplane.Network{
		Settings: s, Ports: map[overlay.EndpointName]dataplane.Port{}, Members: map[overlay.NodeName]dataplane.Member{},
		Remotes: map[overlay.MAC]overlay.NodeName{}, Neighbors: map[netip.Addr]overlay.MAC{}, Routes: map[netip.Prefix]dataplane.Route{},
	}
	draw := func(most int, what string) byte { return byte(rapid.IntRange(0, most).Draw(t, label+" "+what)) }
	for i := range byte(3) {
		if draw(2, "has member") > 0 {
			node := overlay.NodeName('b' + rune(i))
			n.Members[node] = dataplane.Member{VTEP: vtep(s, 2+i+draw(1, "VTEP")), VTEPMAC: overlay.VTEPMACFor(node)}
		}
	}
	for i := range byte(3) {
		if draw(1, "has port") > 0 {
			p := drawPort(t, i, label)
			n.Ports[p.Name] = p
		}
	}
	nodes := rapid.SampledFrom([]overlay.NodeName{"b", "c", "d"})
	if s.Kind == overlay.Routed {
		for i := range byte(4) {
			if draw(1, "has route") > 0 {
				r := dataplane.Route{Node: nodes.Draw(t, label), Direct: draw(3, "direct") == 0}
				n.Routes[netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 7, 100 + i}), 24)] = r
			}
		}
		return n
	}
	for i := range byte(4) {
		if draw(1, "has remote") > 0 {
			n.Remotes[overlay.MAC{2, 0, 0, 0, 1, i}] = nodes.Draw(t, label)
		}
	}
	// Some are the gateway's addresses, which no neighbour gets.
	for i := range byte(6) {
		if draw(1, "has neighbour") > 0 {
			n.Neighbors[netip.AddrFrom4([4]byte{10, 7, 0, i})] = overlay.MAC{2, 0, 0, 0, 1, draw(3, "neighbour")}
		}
	}
	return n
}

func drawPort(t *rapid.T, i byte, label string) dataplane.Port {
	p := dataplane.Port{Name: overlay.EndpointName(fmt.Sprint("e", i)), Kind: overlay.PortSingle, Device: fmt.Sprint("we", i)}
	switch rapid.IntRange(0, 3).Draw(t, label+" port") {
	case 0:
		p.Kind, p.Attach = overlay.PortSegment, overlay.Attach{Type: overlay.AttachBridge, Target: "br0"}
		return p
	case 1:
		p.Attach = overlay.Attach{Type: overlay.AttachTap, Target: fmt.Sprint("tap", i)}
	default:
		p.Attach = overlay.Attach{Type: overlay.AttachNetns, Target: "/run/netns/x"}
	}
	p.MAC = overlay.MAC{2, 0, 0, 0, byte(rapid.IntRange(2, 3).Draw(t, label+" MAC")), i}
	last := byte(rapid.IntRange(10, 11).Draw(t, label+" address"))
	p.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 7, i, last}), p.MAC.LinkLocal()}
	p.Allowed = p.Addresses[rapid.IntRange(0, 1).Draw(t, label+" allowed"):]
	return p
}

// vtep is the nth node's.
func vtep(s dataplane.Settings, n byte) netip.Addr {
	b := s.Local.AsSlice()
	b[len(b)-1] = n
	a, _ := netip.AddrFromSlice(b)
	return a
}

func drawSettings(t *rapid.T) dataplane.Settings {
	kind := rapid.SampledFrom([]overlay.NetworkKind{overlay.Bridged, overlay.Routed}).Draw(t, "kind")
	local := rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "local")
	s := settings("blue", kind, local)
	s.BUM = rapid.SampledFrom([]overlay.BUM{overlay.BUMReplicate, overlay.BUMNone}).Draw(t, "BUM")
	return s
}

// drawLinks gives every port a device, numbered from first, or now and then none: its
// namespace has gone. Ports that have one already, in again, keep it.
func drawLinks(t *rapid.T, n dataplane.Network, first uint32, again kernel.ProgramLinks, label string) kernel.ProgramLinks {
	on := kernel.ProgramLinks{Gateway: 100, Tunnel: 101, Underlay: []uint32{2}, Out: 2, Ports: map[overlay.EndpointName]kernel.ProgramLink{}}
	for name, p := range n.Ports {
		old, there := again.Ports[name]
		switch {
		case there:
			on.Ports[name] = old
		case rapid.IntRange(0, 4).Draw(t, label+" device") > 0:
			on.Ports[name] = kernel.ProgramLink{Index: first + uint32(name[1]), Peer: p.Attach.Type == overlay.AttachNetns}
		}
	}
	return on
}

// A change leads to where the whole leads.
func TestLowerChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSettings(t)
		old, next := drawNetwork(t, s, "old"), drawNetwork(t, s, "next")
		if rapid.Bool().Draw(t, "elsewhere") { // as most changes are
			next.Ports, next.Members = old.Ports, old.Members
		}
		d := dataplane.Between(stateOf(old), stateOf(next)).Networks["blue"]
		before := drawLinks(t, old, 1000, kernel.ProgramLinks{}, "before")
		after := drawLinks(t, next, 2000, unchanged(before, d), "after")
		// What had no device, or has none, was left out of the network by the plane.
		old.Ports, next.Ports = withDevice(old.Ports, before), withDevice(next.Ports, after)
		d = dataplane.Between(stateOf(old), stateOf(next)).Networks["blue"]

		m := Lower(old, before, nil)
		links := after
		if !kernel.OfLinks(d) {
			links = kernel.ProgramLinks{} // nobody has looked for them
		}
		was, want := LowerChange(old, next, d, links, nil)
		if !d.Ports.Empty() {
			was.ports, was.allowed = m.ports, m.allowed // as the maps have them
		}
		writeAll(want, was, m)
		if wrong := differing(Lower(next, after, nil), m); len(wrong) > 0 {
			t.Errorf("wrong: %s", wrong)
		}
	})
}

func stateOf(n dataplane.Network) dataplane.State {
	return dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{n.Name: n}}
}

// unchanged are the links of ports that a change does not name.
func unchanged(on kernel.ProgramLinks, d dataplane.NetworkDelta) kernel.ProgramLinks {
	on.Ports = maps.Clone(on.Ports)
	maps.DeleteFunc(on.Ports, func(name overlay.EndpointName, _ kernel.ProgramLink) bool {
		_, set := d.Ports.Set[name]
		return set
	})
	return on
}

func withDevice(ports map[overlay.EndpointName]dataplane.Port, on kernel.ProgramLinks) map[overlay.EndpointName]dataplane.Port {
	ports = maps.Clone(ports)
	maps.DeleteFunc(ports, func(name overlay.EndpointName, _ dataplane.Port) bool { _, ok := on.Ports[name]; return !ok })
	return ports
}

// writeAll does to tables what write does to maps that have the entries was.
func writeAll(want, was, m Tables) {
	write(want.ports, was.ports, m.ports)
	write(want.networks, was.networks, m.networks)
	write(want.stations, was.stations, m.stations)
	write(want.neighbors, was.neighbors, m.neighbors)
	write(want.members, was.members, m.members)
	write(want.allowed, was.allowed, m.allowed)
	write(want.routes, was.routes, m.routes)
	write(want.floods, was.floods, m.floods)
	write(want.tunnels, was.tunnels, m.tunnels)
	write(want.pairs, was.pairs, m.pairs)
}

func write[K, V comparable](want, was, m map[K]V) {
	c := compare(want, was)
	maps.Copy(m, c.set)
	for k := range c.gone {
		delete(m, k)
	}
}
