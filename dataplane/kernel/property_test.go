package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
)

type vtep = netip.Addr

// drawState draws a State of one or two networks over small pools of names, so
// that two States have much in common and much in conflict.
func drawState(t *rapid.T, label string) dataplane.State {
	s := dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{}}
	for _, name := range []overlay.NetworkName{"blue", "red"} {
		if rapid.Bool().Draw(t, label+" has "+string(name)) {
			s.Networks[name] = drawNetwork(t, name, label+" "+string(name))
		}
	}
	return s
}

func drawNetwork(t *rapid.T, name overlay.NetworkName, label string) dataplane.Network {
	kind := rapid.SampledFrom([]overlay.NetworkKind{overlay.Bridged, overlay.Routed}).Draw(t, label)
	n := node(kind, rapid.SampledFrom([]overlay.Family{overlay.V4, overlay.V6}).Draw(t, label)).Networks["blue"]
	n.Name = name
	vni(overlay.VNI(rapid.IntRange(7, 8).Draw(t, label+" vni")))(&n)
	n.BUM = rapid.SampledFrom([]overlay.BUM{overlay.BUMReplicate, overlay.BUMNone}).Draw(t, label)
	n.MTU = rapid.IntRange(1400, 1401).Draw(t, label+" mtu")
	drawOuter(t, &n, label)
	for _, b := range []overlay.NodeName{"b", "c"} {
		if rapid.Bool().Draw(t, label+" without "+string(b)) {
			without(b)(&n)
		}
	}
	n.Ports = map[overlay.EndpointName]dataplane.Port{}
	for i := range 3 {
		if rapid.Bool().Draw(t, fmt.Sprint(label, " has e", i)) {
			p := drawPort(t, name, i, label)
			n.Ports[p.Name] = p
			delete(n.Remotes, p.MAC)
		}
	}
	return n
}

// drawOuter has the network's packets cross the underlay in one of many ways.
func drawOuter(t *rapid.T, n *dataplane.Network, label string) {
	encapsulations := []overlay.Encapsulation{overlay.EncapVXLAN, overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE}
	if n.Kind == overlay.Routed && n.Name == "blue" { // of those one network has each
		encapsulations = append(encapsulations, overlay.EncapIPIP, overlay.EncapSIT)
	}
	n.Encapsulation = rapid.SampledFrom(encapsulations).Draw(t, label+" encapsulation")
	if n.Encapsulation == overlay.EncapVXLAN {
		n.UnderlayDevice = rapid.SampledFrom([]string{"", "eth0"}).Draw(t, label+" underlay device")
	}
}

func drawPort(t *rapid.T, name overlay.NetworkName, i int, label string) dataplane.Port {
	p := dataplane.Port{
		Name: overlay.EndpointName(fmt.Sprint("e", i)), Kind: overlay.PortSingle,
		MAC:    overlay.MAC{2, 0, 0, 0, 0, byte(0x10 + rapid.IntRange(0, 1).Draw(t, label)<<4 + i)},
		Device: fmt.Sprintf("w%c%d", name[0], i),
	}
	last := byte(rapid.IntRange(0x10, 0x11).Draw(t, label))
	p.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 7, byte(i), last}), p.MAC.LinkLocal()}
	p.Attach.Type = rapid.SampledFrom([]overlay.AttachType{
		overlay.AttachNetns, overlay.AttachTap, overlay.AttachVeth, overlay.AttachBridge,
	}).Draw(t, label)
	p.Attach.Target = fmt.Sprintf("%c%d", name[0], i)
	switch p.Attach.Type {
	case overlay.AttachNetns:
		// Two endpoints may follow each other in one namespace under one name.
		p.Attach.Target = "/run/netns/" + rapid.SampledFrom([]string{"x", "y"}).Draw(t, label)
		p.Attach.Interface = fmt.Sprintf("%c%d", name[0], i)
	case overlay.AttachBridge:
		p.Kind, p.Addresses, p.Attach.Target = overlay.PortSegment, nil, "virbr0"
		if rapid.Bool().Draw(t, label) {
			p.Stations = []overlay.MAC{p.MAC}
		}
		p.MAC = overlay.MAC{}
	}
	return p
}

// doAll has the ops done by the model.
func doAll(t *rapid.T, m model, ops []Op) {
	for _, op := range ops {
		if err := m.do(op); err != nil {
			t.Fatalf("%s: %v\nin\n%s", op, err, printed(ops))
		}
		m.prune()
	}
}

func printed(ops []Op) string {
	var l []string
	for _, op := range ops {
		l = append(l, op.String())
	}
	return lines(l)
}

func TestDiffLeadsThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := Lower(drawState(t, "from"), "/run/netns"), Lower(drawState(t, "to"), "/run/netns")
		m := newModel(from)
		tamper(t, m)
		ops := Diff(to, newModel(m.Objects).Objects)
		doAll(t, m, ops)
		if d := cmp.Diff(known(to, to), known(m.Objects, to), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
			t.Fatalf("want (-), got (+):\n%s\nby\n%s", d, printed(ops))
		}
		if again := Diff(to, m.Objects); len(again) > 0 {
			t.Fatalf("still to do:\n%s", printed(again))
		}
	})
}

// known is the objects without what Diff leaves as it is: how a lent link looks, MACs and
// settings that are not wanted either way.
func known(o, want Objects) Objects {
	o = newModel(o).Objects
	o.Filters = nil   // compared by Diff
	o.Published = nil // never looked for
	maps.DeleteFunc(o.Sysctls, func(id SysctlID, _ string) bool { _, ok := want.Sysctls[id]; return !ok })
	for id, l := range o.Links {
		switch {
		case l.Lent:
			l = Link{Kind: l.Kind, Peer: l.Peer, Lent: true}
		case want.Links[id].MAC.IsZero():
			l.MAC = overlay.MAC{}
		}
		o.Links[id] = l
	}
	return o
}

// tamper does to the host what others might: it takes away and changes.
func tamper(t *rapid.T, m model) {
	for _, id := range slices.SortedFunc(maps.Keys(m.Links), compareLinkID) {
		l, ok := m.Links[id]
		if !ok || l.Kind == KindLoopback {
			continue
		}
		switch rapid.IntRange(0, 9).Draw(t, "tamper") {
		case 7:
			if err := m.do(deleteLink{id}); err != nil {
				t.Fatal(err)
			}
		case 8:
			l.Up, l.Master, l.Port = !l.Up, "", BridgePort{}
			m.Links[id] = l
		case 9:
			l.MTU, l.Alias, l.NoLinkLocal = 1300, "", false
			l.Bridge.STP, l.Port.Odd, l.Outer.Odd = l.Kind == KindBridge, l.Port.Owned, l.Kind == KindVXLAN
			m.Links[id] = l
		}
		m.prune()
	}
	thin(t, m.Addresses, compareAddress)
	thin(t, m.Tunnels, compareTunnelKey)
	thin(t, m.Stations, compareStationKey)
	thin(t, m.Neighbors, compareNeighborKey)
	thin(t, m.Routes, compareRouteKey)
	thin(t, m.Redirects, compareLinkID)
	thin(t, m.Sysctls, compareSysctlID)
	m.prune()
}

// thin takes away some entries, and gives others a value that none has.
func thin[K comparable, V any](t *rapid.T, m map[K]V, compare func(a, b K) int) {
	var other V
	for _, k := range slices.SortedFunc(maps.Keys(m), compare) {
		switch rapid.IntRange(0, 9).Draw(t, "thin") {
		case 8:
			delete(m, k)
		case 9:
			m[k] = other
		}
	}
}

// A change leads to where the whole leads, also when it is made in place and only what
// comes before it was kept.
func TestDiffOfChangeLeadsThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawNetwork(t, "blue", "from"), drawNetwork(t, "blue", "to")
		to.Settings = from.Settings // other settings are compared with the host
		if from.Kind != to.Kind {
			return
		}
		state := func(n dataplane.Network) dataplane.State {
			return dataplane.State{Networks: map[overlay.NetworkName]dataplane.Network{"blue": n}}
		}
		d := dataplane.Between(state(from), state(to))
		if len(d.Networks) == 0 {
			return
		}
		inPlace := state(from).Clone()
		kept := before(inPlace, d)
		inPlace.Update(d)
		was, want := LowerChange(kept.Networks["blue"], inPlace.Networks["blue"], d.Networks["blue"], "/run/netns")
		m := newModel(LowerNetwork(from, "/run/netns"))
		ops := Diff(want, was)
		doAll(t, m, ops)
		if left := Diff(LowerNetwork(to, "/run/netns"), m.Objects); len(left) > 0 {
			t.Fatalf("still to do:\n%s\nafter\n%s", printed(left), printed(ops))
		}
	})
}
