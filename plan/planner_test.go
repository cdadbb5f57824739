package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weft/dataplane"
	"weft/overlay"
)

// weakName makes all device names collide.
func weakName(_ portKey, attempt int) string { return fmt.Sprintf("wf%d", attempt) }

// difference between two States, generations aside.
func difference(got, want dataplane.State) string {
	got.Generation, want.Generation = 0, 0
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}))
}

// change is one event: something put, deleted, held or released.
type change struct {
	put           overlay.Resource
	remove        overlay.Key
	hold, release overlay.NetworkName
	reason        string
	choose        overlay.NetworkName
	plane         overlay.PlaneName
	path          overlay.Key
	found         overlay.TunnelPath
}

func (c change) toPlanner(p *Planner) {
	switch {
	case c.put != nil:
		p.Put(c.put)
	case c.hold != "":
		p.Hold(c.hold, c.reason)
	case c.release != "":
		p.Release(c.release)
	case c.choose != "":
		p.Choose(c.choose, c.plane)
	case c.path.Name != "":
		p.SetPath(c.path, c.found)
	default:
		p.Delete(c.remove)
	}
}

func (c change) toSnapshot(s *overlay.Snapshot) {
	switch {
	case c.put != nil:
		s.Put(c.put)
	case c.hold != "":
		s.Held[c.hold] = c.reason
	case c.release != "":
		delete(s.Held, c.release)
	case c.choose != "":
		s.Chosen[c.choose] = c.plane
	case c.path.Name != "":
		s.Paths[c.path] = c.found
	default:
		s.Delete(c.remove)
	}
}

// The world of the random tests is so small that everything collides.
var (
	nodeNames     = rapid.SampledFrom([]overlay.NodeName{"a", "b", "c", "d"})
	networkNames  = rapid.SampledFrom([]overlay.NetworkName{"blue", "green", "red"})
	endpointNames = rapid.SampledFrom([]string{"e1", "e2", "e3", "e4", "e5", "e6", "e77"})
	blockNames    = rapid.SampledFrom([]string{"b1", "b2", "b3", "b4"})
	kinds         = rapid.SampledFrom([]overlay.Kind{
		overlay.KindEndpoint, overlay.KindEndpoint, overlay.KindEndpoint, overlay.KindEndpoint, overlay.KindEndpoint,
		overlay.KindEndpoint, overlay.KindBlock, overlay.KindBlock, overlay.KindNode, overlay.KindNetwork, overlay.KindToken,
		overlay.KindTunnel, overlay.KindTunnel,
	})
	tunnelNames = rapid.SampledFrom([]string{"t1", "t2"})
	revisions   = rapid.Int64Range(1, 4)
)

// anyChange draws what is frequent first: rapid likes small numbers.
func anyChange(t *rapid.T) change {
	switch odds := rapid.IntRange(0, 20).Draw(t, "change"); {
	case odds < 10:
		return change{put: anyResource(t)}
	case odds < 16:
		return change{remove: anyResource(t).Key()}
	case odds < 17:
		return change{release: networkNames.Draw(t, "release")}
	case odds < 18:
		return change{choose: networkNames.Draw(t, "choose"), plane: rapid.SampledFrom([]overlay.PlaneName{"", "other", overlay.PlaneKernel}).Draw(t, "plane")}
	case odds < 19:
		k := overlay.Key{Kind: overlay.KindTunnel, Network: anyAttachment(t), Name: tunnelNames.Draw(t, "tunnel")}
		return change{path: k, found: overlay.TunnelPath{
			Remote: rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("2001:db8:9::9")}).Draw(t, "remote"),
			Down:   rapid.Bool().Draw(t, "down"),
		}}
	}
	return change{hold: networkNames.Draw(t, "hold"), reason: rapid.SampledFrom([]string{"new field x", "new field y"}).Draw(t, "reason")}
}

// anyWorld draws what makes all networks exist on this node to begin with.
func anyWorld(t *rapid.T) []change {
	var world []change
	for _, name := range []overlay.NodeName{"a", "b", "c", "d"} {
		n := overlay.New(overlay.KindNode).(*overlay.Node)
		n.Name, n.Spec = string(name), anyNodeSpec(t, name)
		world = append(world, change{put: n})
	}
	for _, name := range []overlay.NetworkName{"blue", "green", "red"} {
		n := overlay.New(overlay.KindNetwork).(*overlay.Network)
		n.Name, n.Spec = string(name), anyNetworkSpec(t)
		e := overlay.New(overlay.KindEndpoint).(*overlay.Endpoint)
		e.Network, e.Name, e.Spec = name, "e0", overlay.EndpointSpec{Node: "a", Port: overlay.PortSingle, MAC: overlay.MAC{2, 9, 9, 9, 9, 9}}
		world = append(world, change{put: n}, change{put: e})
	}
	return world
}

func anyResource(t *rapid.T) overlay.Resource {
	r := overlay.New(kinds.Draw(t, "kind"))
	r.Header().Revision = revisions.Draw(t, "revision")
	switch r := r.(type) {
	case *overlay.Node:
		name := nodeNames.Draw(t, "node")
		r.Name, r.Spec = string(name), anyNodeSpec(t, name)
		r.Status.Version = rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version")
	case *overlay.Network:
		r.Name, r.Spec = string(networkNames.Draw(t, "network")), anyNetworkSpec(t)
	case *overlay.Block:
		r.Network, r.Name = networkNames.Draw(t, "network"), blockNames.Draw(t, "block")
		r.Spec.Node = nodeNames.Draw(t, "node")
		r.Spec.Prefix = rapid.SampledFrom(prefixes("10.8.1.0/24", "10.8.2.0/24", "fd08:0:0:1::/64")).Draw(t, "prefix")
	case *overlay.Endpoint:
		r.Network, r.Name = networkNames.Draw(t, "network"), endpointNames.Draw(t, "endpoint")
		r.Spec = anyEndpointSpec(t)
	case *overlay.Tunnel:
		r.Network, r.Name = anyAttachment(t), tunnelNames.Draw(t, "tunnel")
		r.Spec = overlay.TunnelSpec{
			Node: nodeNames.Draw(t, "node"), VNI: 7,
			Mode:   rapid.SampledFrom([]overlay.TunnelMode{overlay.TunnelVXLAN, overlay.TunnelGRE, overlay.TunnelIPIP}).Draw(t, "mode"),
			Remote: rapid.SampledFrom([]string{"198.51.100.7", "198.51.100.9", "2001:db8:9::7", "peer.example"}).Draw(t, "remote"),
		}
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(prefixes("10.8.1.0/24", "10.9.0.0/24", "fd09::/64")), 0, 2).Draw(t, "routes") {
			r.Spec.Routes = append(r.Spec.Routes, overlay.TunnelRoute{Prefix: p})
		}
	}
	return r
}

// anyAttachment is a network, or none.
func anyAttachment(t *rapid.T) overlay.NetworkName {
	return rapid.SampledFrom([]overlay.NetworkName{"", "blue", "green"}).Draw(t, "attachment")
}

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

func anyNodeSpec(t *rapid.T, name overlay.NodeName) overlay.NodeSpec {
	v4 := rapid.SampledFrom(prefixes("192.0.2.1/24", "198.51.100.1/24")).Draw(t, "v4")
	v6 := rapid.SampledFrom(prefixes("2001:db8:1::1/64", "2001:db8:2::1/64")).Draw(t, "v6")
	s := overlay.NodeSpec{
		UnderlayMTU: rapid.SampledFrom([]int{1500, 1500, 1500, 1400, 1300, 600}).Draw(t, "mtu"),
		VTEPMAC:     overlay.VTEPMACFor(name),
	}
	if rapid.IntRange(0, 5).Draw(t, "planes") == 0 {
		s.Planes = []overlay.PlaneName{"other", overlay.PlaneKernel}
		s.NetworkPlanes = map[overlay.NetworkName]overlay.PlaneName{
			"blue": rapid.SampledFrom([]overlay.PlaneName{"", "other", overlay.PlaneKernel, overlay.PlaneEBPF}).Draw(t, "assigned"),
		}
	}
	switch rapid.IntRange(0, 4).Draw(t, "families") {
	case 0:
		s.Underlay = []netip.Prefix{v6}
	case 1:
		s.Underlay = []netip.Prefix{v4}
	default:
		s.Underlay = []netip.Prefix{v4, v6}
	}
	return s
}

func anyNetworkSpec(t *rapid.T) overlay.NetworkSpec {
	pick := func(label string, odds int) bool { return rapid.IntRange(0, odds).Draw(t, label) == 0 }
	s := overlay.NetworkSpec{
		VNI:     rapid.SampledFrom([]overlay.VNI{4097, 4098}).Draw(t, "vni"),
		Subnets: prefixes("10.8.0.0/16"),
		MTU:     rapid.SampledFrom([]int{0, 0, 1300, 9000}).Draw(t, "mtu"),
	}
	if pick("dual stack", 2) {
		s.Subnets = prefixes("10.8.0.0/16", "fd08::/48")
	}
	if pick("routed", 1) {
		s.Kind = overlay.Routed
		s.DirectRouting = pick("direct", 1)
		if pick("none", 2) {
			s.Encapsulation = overlay.EncapNone
		}
	}
	s.Plane = rapid.SampledFrom([]overlay.PlaneName{"", "", "", overlay.PlaneAuto, overlay.PlaneKernel, "other"}).Draw(t, "plane")
	s.Underlay = rapid.SampledFrom([]overlay.Family{overlay.FamilyAuto, overlay.FamilyAuto, overlay.V4, overlay.V6}).Draw(t, "underlay")
	anyDiscovery(t, &s)
	return s
}

func anyEndpointSpec(t *rapid.T) overlay.EndpointSpec {
	s := overlay.EndpointSpec{
		Node: nodeNames.Draw(t, "node"),
		Port: rapid.SampledFrom([]overlay.PortKind{overlay.PortSingle, overlay.PortSingle, overlay.PortSegment, overlay.PortStation}).Draw(t, "port"),
	}
	if s.Port == overlay.PortSegment {
		s.Attach = overlay.Attach{Type: overlay.AttachBridge, Target: "docker0"}
		return s
	}
	if s.Port == overlay.PortStation {
		s.Via = overlay.EndpointName(endpointNames.Draw(t, "via"))
	}
	s.MAC = rapid.SampledFrom([]overlay.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}, overlay.VNI(4097).GatewayMAC()}).Draw(t, "mac")
	addresses := []netip.Addr{
		netip.MustParseAddr("10.8.0.1"), netip.MustParseAddr("10.8.1.2"), netip.MustParseAddr("10.8.1.3"),
		netip.MustParseAddr("fd08::1"), netip.MustParseAddr("fd08::2"), s.MAC.LinkLocal(),
	}
	s.Addresses = rapid.SliceOfN(rapid.SampledFrom(addresses), 0, 3).Draw(t, "addresses")
	if s.Port == overlay.PortSingle {
		s.Attach = overlay.Attach{Type: overlay.AttachVeth, Target: "v0"}
	}
	return s
}

// TestPlannerIsFor holds the two equal after any sequence of changes, and the
// Deltas to lead from one State to the next.
func TestPlannerIsFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		self := overlay.NodeName("a")
		planner, snapshot := NewPlanner(self), overlay.NewSnapshot()
		naming := rapid.SampledFrom([]func(portKey, int) string{weakName, hashName}).Draw(t, "naming")
		planner.name = naming
		accumulated := dataplane.State{Node: self}
		var deltas []dataplane.Delta
		past := anyWorld(t)
		for _, c := range past {
			c.toPlanner(planner)
			c.toSnapshot(snapshot)
		}
		for range rapid.IntRange(1, 40).Draw(t, "plans") {
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				c := anyChange(t)
				if rapid.IntRange(0, 9).Draw(t, "again") == 9 {
					c = rapid.SampledFrom(past).Draw(t, "past")
				}
				past = append(past, c)
				c.toPlanner(planner)
				c.toSnapshot(snapshot)
			}
			delta, changed := planner.Plan()
			if delta.From != accumulated.Generation || changed != (delta.To == delta.From+1) || !changed && delta.To != delta.From {
				t.Fatalf("Delta from %d to %d, changed %v, at generation %d", delta.From, delta.To, changed, accumulated.Generation)
			}
			before := accumulated
			accumulated = accumulated.With(delta).Clone()
			deltas = append(deltas, delta)
			if d := difference(planner.State(), forNamed(self, snapshot, naming)); d != "" {
				t.Fatalf("the Planner is not For (-For +Planner):\n%s", d)
			}
			if d := difference(accumulated, planner.State()); d != "" {
				t.Fatalf("the Deltas do not lead to the State (-State +Deltas):\n%s", d)
			}
			if differs := difference(before, accumulated) != ""; differs != changed && delta.From > 0 {
				t.Fatalf("changed is %v and should be %v: %+v", changed, differs, delta)
			}
		}
		again := dataplane.State{Node: self}
		for _, d := range deltas {
			again.Update(d)
		}
		if d := difference(again, planner.State()); d != "" {
			t.Fatalf("a Delta was changed after it was given out (-State +Deltas):\n%s", d)
		}
	})
}

// TestOrderDoesNotMatter gives the same resources in two orders, with noise that
// is taken back in between.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		final := map[overlay.Key]overlay.Resource{}
		for _, c := range anyWorld(t) {
			final[c.put.Key()] = c.put
		}
		for range rapid.IntRange(1, 40).Draw(t, "resources") {
			r := anyResource(t)
			final[r.Key()] = r
		}
		noise := rapid.SliceOfN(rapid.Custom(anyResource), 0, 20).Draw(t, "noise")
		one, two := NewPlanner("a"), NewPlanner("a")
		for _, r := range final {
			one.Put(r)
		}
		one.Plan()
		for _, r := range noise {
			two.Put(r)
			if rapid.Bool().Draw(t, "plan") {
				two.Plan()
			}
		}
		for _, r := range noise {
			if _, stays := final[r.Key()]; !stays || rapid.Bool().Draw(t, "delete") {
				two.Delete(r.Key())
			}
		}
		for _, r := range final { // Go's order of maps is random
			two.Put(r)
			if rapid.Bool().Draw(t, "plan") {
				two.Plan()
			}
		}
		two.Plan()
		if d := difference(two.State(), one.State()); d != "" {
			t.Fatalf("another order, another State:\n%s", d)
		}
	})
}

// TestPlannerForgets deletes all that was put: nothing is left in the Planner.
func TestPlannerForgets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := NewPlanner("a")
		var keys []overlay.Key
		for _, c := range anyWorld(t) {
			keys = append(keys, c.put.Key())
			p.Put(c.put)
		}
		for range rapid.IntRange(1, 60).Draw(t, "resources") {
			r := anyResource(t)
			keys = append(keys, r.Key())
			p.Put(r)
		}
		p.Plan()
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, k := range keys {
			p.Delete(k)
			p.Delete(k) // what is absent can be deleted
		}
		p.Plan()
		if len(p.nodes)+len(p.networks)+len(p.ports)+len(p.device)+len(p.changed)+len(p.tunnels) != 0 {
			t.Fatalf("left over: %+v", p)
		}
		if d := difference(p.State(), dataplane.State{Node: "a"}); d != "" {
			t.Fatalf("left over:\n%s", d)
		}
	})
}
