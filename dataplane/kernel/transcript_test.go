package kernel

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// node is what host a of three forwards in a network, changed by edit.
func node(kind overlay.NetworkKind, underlay overlay.Family, edit ...func(*dataplane.Network)) dataplane.State {
	b := &bed{}
	for i := range 3 {
		b.hosts = append(b.hosts, &bedHost{name: overlay.NodeName(rune('a' + i)), index: i})
	}
	n := testNet{bed: b, spec: settings(kind, underlay), workloads: []string{"/run/netns/web", "/run/netns/db", "/run/netns/mail"}}
	s := n.state(0)
	net := s.Networks["blue"]
	for _, e := range edit {
		e(&net)
	}
	s.Networks["blue"] = net
	return s
}

// family keeps the addresses of one family.
func only(f overlay.Family) func(*dataplane.Network) {
	other := func(a netip.Addr) bool { return overlay.FamilyOf(a) != f && !a.IsLinkLocalUnicast() }
	return func(n *dataplane.Network) {
		var gateways []netip.Prefix
		for _, g := range n.Gateways {
			if !other(g.Addr()) {
				gateways = append(gateways, g)
			}
		}
		n.Gateways = gateways
		for name, p := range n.Ports {
			var kept []netip.Addr
			for _, a := range p.Addresses {
				if !other(a) {
					kept = append(kept, a)
				}
			}
			p.Addresses, p.Allowed = kept, kept
			n.Ports[name] = p
		}
		maps.DeleteFunc(n.Neighbors, func(a netip.Addr, _ overlay.MAC) bool { return other(a) })
		maps.DeleteFunc(n.Routes, func(p netip.Prefix, _ dataplane.Route) bool { return other(p.Addr()) })
	}
}

// attached attaches the port of host a in another way.
func attached(to overlay.AttachType, target string) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		p := n.Ports["e0"]
		p.Attach = overlay.Attach{Type: to, Target: target}
		if to == overlay.AttachBridge {
			for _, a := range p.Addresses {
				delete(n.Neighbors, a)
			}
			p = dataplane.Port{Name: p.Name, Kind: overlay.PortSegment, Attach: p.Attach, Device: p.Device}
		}
		n.Ports["e0"] = p
	}
}

// publishing is the registry knowing a station behind each segment port.
func publishing(n *dataplane.Network) {
	n.Ports = maps.Clone(n.Ports)
	for name, p := range n.Ports {
		if p.Kind == overlay.PortSegment {
			p.Stations = []overlay.MAC{silentMAC}
			n.Ports[name] = p
		}
	}
}

// silentMAC is a station's that never speaks.
var silentMAC = overlay.MAC{0x02, 0, 0, 0, 0x99, 0x05}

func bumNone(n *dataplane.Network) { n.BUM = overlay.BUMNone }

func without(member overlay.NodeName) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		delete(n.Members, member)
		maps.DeleteFunc(n.Remotes, func(_ overlay.MAC, at overlay.NodeName) bool { return at == member })
		maps.DeleteFunc(n.Routes, func(_ netip.Prefix, r dataplane.Route) bool { return r.Node == member })
	}
}

func noPorts(n *dataplane.Network) { n.Ports = nil }

// moved is the endpoint of host b after it moved here.
func moved(n *dataplane.Network) {
	b := n.Ports["e0"]
	b.Name, b.Device = "e1", "we1"
	b.MAC[5]++
	b.Addresses = []netip.Addr{netip.MustParseAddr("10.7.0.17"), netip.MustParseAddr("fd07::11"), b.MAC.LinkLocal()}
	b.Allowed = b.Addresses
	b.Attach.Target = "/run/netns/db"
	n.Ports["e1"] = b
	delete(n.Remotes, b.MAC)
}

func vni(v overlay.VNI) func(*dataplane.Network) {
	return func(n *dataplane.Network) { n.VNI, n.GatewayMAC = v, v.GatewayMAC() }
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]dataplane.State{
		"bridged-v4":      node(overlay.Bridged, overlay.V4, only(overlay.V4)),
		"bridged-v6":      node(overlay.Bridged, overlay.V4, only(overlay.V6)),
		"bridged-both":    node(overlay.Bridged, overlay.V4),
		"bridged-over-v6": node(overlay.Bridged, overlay.V6),
		"bridged-tap":     node(overlay.Bridged, overlay.V4, attached(overlay.AttachTap, "tap0")),
		"bridged-veth":    node(overlay.Bridged, overlay.V4, attached(overlay.AttachVeth, "web0")),
		"bridged-segment": node(overlay.Bridged, overlay.V4, attached(overlay.AttachBridge, "virbr0")),
		"bridged-station": node(overlay.Bridged, overlay.V4, only(overlay.V4), attached(overlay.AttachBridge, "virbr0"), publishing),
		"bridged-bumnone": node(overlay.Bridged, overlay.V4, bumNone),
		"multicast":       node(overlay.Bridged, overlay.V4, only(overlay.V4), grouped),
		"static-learning": node(overlay.Bridged, overlay.V4, only(overlay.V4), learning),
		"outer":           node(overlay.Bridged, overlay.V4, only(overlay.V4), outer),
		"routed-both":     node(overlay.Routed, overlay.V4),
		"routed-over-v6":  node(overlay.Routed, overlay.V6),
		"routed-gre":      node(overlay.Routed, overlay.V4, only(overlay.V4), in(overlay.EncapGRE)),
		"routed-ipip":     node(overlay.Routed, overlay.V4, only(overlay.V4), in(overlay.EncapIPIP)),
		"bridged-geneve":  node(overlay.Bridged, overlay.V4, only(overlay.V4), in(overlay.EncapGeneve)),
		"routed-tap":      node(overlay.Routed, overlay.V4, attached(overlay.AttachTap, "tap0")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testenv.Golden(t, "explain/"+name+".txt", lines(Explain(s, "/run/netns", nil)))
		})
	}
}

// in has packets be of an encapsulation.
func in(e overlay.Encapsulation) func(*dataplane.Network) {
	return func(n *dataplane.Network) { n.Encapsulation, n.Port = e, e.DefaultPort() }
}

func lines(l []string) string { return strings.Join(l, "\n") + "\n" }

// Namespaces elsewhere are entered by their path.
func TestExplainElsewhere(t *testing.T) {
	t.Parallel()
	s := node(overlay.Bridged, overlay.V4, only(overlay.V4), func(n *dataplane.Network) {
		p := n.Ports["e0"]
		p.Attach.Target = "/proc/42/ns/net"
		n.Ports["e0"] = p
	})
	testenv.Golden(t, "explain/elsewhere.txt", lines(Explain(s, "/srv/my weft/netns", nil)))
}

func TestDiff(t *testing.T) {
	t.Parallel()
	bridged := func(edit ...func(*dataplane.Network)) dataplane.State {
		return node(overlay.Bridged, overlay.V4, append(edit, only(overlay.V4))...)
	}
	routed := func(edit ...func(*dataplane.Network)) dataplane.State {
		return node(overlay.Routed, overlay.V4, append(edit, only(overlay.V4))...)
	}
	for name, c := range map[string]struct{ from, to dataplane.State }{
		"nothing":          {bridged(), bridged()},
		"attach":           {bridged(noPorts), bridged()},
		"detach":           {bridged(), bridged(noPorts)},
		"remote-to-local":  {bridged(), bridged(moved)},
		"local-to-remote":  {bridged(moved), bridged()},
		"member-gone":      {bridged(), bridged(without("b"))},
		"vni":              {bridged(), bridged(vni(5000))},
		"reattach":         {bridged(), bridged(attached(overlay.AttachTap, "tap0"))},
		"segment":          {bridged(noPorts), bridged(attached(overlay.AttachBridge, "virbr0"), publishing)},
		"station":          {bridged(attached(overlay.AttachBridge, "virbr0")), bridged(attached(overlay.AttachBridge, "virbr0"), publishing)},
		"bum":              {bridged(), bridged(bumNone)},
		"network-gone":     {bridged(), dataplane.State{}},
		"routed-gone":      {routed(), dataplane.State{}},
		"routed-member":    {routed(without("c")), routed()},
		"bridged-to-route": {bridged(), routed()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l []string
			for _, op := range Diff(Lower(c.to, "/run/netns"), Lower(c.from, "/run/netns")) {
				l = append(l, op.String())
			}
			testenv.Golden(t, "diff/"+name+".txt", lines(l))
		})
	}
}
