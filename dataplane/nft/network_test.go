package nft

import (
	"fmt"
	"maps"
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// network is one of a kind over a family, changed by edit: two single ports and
// a member.
func network(kind overlay.NetworkKind, family overlay.Family, edit ...func(*dataplane.Network)) dataplane.Network {
	n := dataplane.Network{
		Settings: dataplane.Settings{
			Name: "blue", VNI: 4097, Kind: kind, Encapsulation: overlay.EncapVXLAN, Port: overlay.DefaultVXLANPort,
			Local:    vtep(family, 1),
			Gateways: []netip.Prefix{netip.MustParsePrefix("10.7.0.1/16"), netip.MustParsePrefix("fd07::1/48")},
		},
		Ports:   map[overlay.EndpointName]dataplane.Port{},
		Members: map[overlay.NodeName]dataplane.Member{},
	}
	n.GatewayMAC = n.VNI.GatewayMAC()
	for i := range 2 {
		withPort(endpoint(i))(&n)
	}
	withMember(2)(&n)
	for _, e := range edit {
		e(&n)
	}
	return n
}

func vtep(f overlay.Family, node byte) netip.Addr {
	if f == overlay.V6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:ffff::%d", node))
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, node})
}

// endpoint is a single port with an address of each family.
func endpoint(i int) dataplane.Port {
	p := dataplane.Port{
		Name: overlay.EndpointName(fmt.Sprint("e", i)), Kind: overlay.PortSingle, Device: fmt.Sprint("we", i),
		MAC: overlay.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)},
	}
	p.Addresses = []netip.Addr{
		netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(16 + i)}),
		netip.MustParseAddr(fmt.Sprintf("fd07::%x", 16+i)), p.MAC.LinkLocal(),
	}
	p.Allowed = p.Addresses
	return p
}

func withPort(p dataplane.Port) func(*dataplane.Network) {
	return func(n *dataplane.Network) { n.Ports[p.Name] = p }
}

func withSegment(n *dataplane.Network) {
	withPort(dataplane.Port{Name: "office", Kind: overlay.PortSegment, Device: "woffice"})(n)
}

func withoutPorts(n *dataplane.Network) { clear(n.Ports) }

func onPrograms(n *dataplane.Network) { n.Plane = overlay.PlaneEBPF }

func withMember(node byte) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		f := overlay.FamilyOf(n.Local)
		n.Members[overlay.NodeName(fmt.Sprint("n", node))] = dataplane.Member{VTEP: vtep(f, node)}
	}
}

func named(name overlay.NetworkName, vni overlay.VNI) func(*dataplane.Network) {
	return func(n *dataplane.Network) { n.Name, n.VNI, n.GatewayMAC = name, vni, vni.GatewayMAC() }
}

// routes gives a routed network blocks, and routes to those of nodes.
func routes(direct bool, nodes ...byte) func(*dataplane.Network) {
	return func(n *dataplane.Network) {
		n.Blocks = []netip.Prefix{netip.MustParsePrefix("10.7.1.0/24"), netip.MustParsePrefix("fd07:0:0:1::/64")}
		n.Routes = map[netip.Prefix]dataplane.Route{}
		for _, node := range nodes {
			r := dataplane.Route{Node: overlay.NodeName(fmt.Sprint("n", node)), Direct: direct}
			r4, r6 := r, r
			if direct {
				r4.Via, r6.Via = vtep(overlay.V4, node), vtep(overlay.V6, node)
			}
			n.Routes[netip.MustParsePrefix(fmt.Sprintf("10.7.%d.0/24", node))] = r4
			n.Routes[netip.MustParsePrefix(fmt.Sprintf("fd07:0:0:%d::/64", node))] = r6
		}
	}
}

func none(n *dataplane.Network) { n.Encapsulation = overlay.EncapNone }

// hosts are the rules of a host with networks, of which all next hops are behind eth0.
func hosts(all ...dataplane.Network) Ruleset {
	byName, direct := map[overlay.NetworkName]dataplane.Network{}, map[overlay.NetworkName]Direct{}
	for _, n := range all {
		byName[n.Name] = n
		if d := directOf(n); len(d.Devices) > 0 {
			direct[n.Name] = d
		}
	}
	return Host(dataplane.State{Networks: byName}, direct)
}

func directOf(n dataplane.Network) Direct {
	d := Direct{
		Link: fmt.Sprintf("wh%06x", uint32(n.VNI)), Devices: map[netip.Addr]string{},
		Hop4: netip.MustParseAddr("169.254.119.1"), Hop6: n.GatewayMAC.LinkLocal(),
	}
	for _, r := range n.Routes {
		if r.Direct {
			d.Devices[r.Via] = "eth0"
		}
	}
	return d
}

// joined is rulesets of different families in one.
func joined(all ...Ruleset) Ruleset {
	r := Ruleset{}
	for _, o := range all {
		maps.Copy(r, o)
	}
	return r
}

// withTunnel attaches one that leads everywhere, and to a part of the network's subnet.
func withTunnel(n *dataplane.Network) {
	s := overlay.TunnelSpec{Mode: overlay.TunnelGRE, Device: "wg+tun", KeepAlive: &overlay.KeepAlive{Target: netip.MustParseAddr("10.7.200.1")}}
	for _, p := range []string{"0.0.0.0/0", "10.7.128.0/18", "fd99::/64"} {
		s.Routes = append(s.Routes, overlay.TunnelRoute{Prefix: netip.MustParsePrefix(p)})
	}
	t := dataplane.Tunnel{Spec: s, Local: vtep(overlay.V4, 1), Remote: vtep(overlay.V4, 9)}
	withPort(dataplane.Port{Name: "tunnel/out", Kind: overlay.PortSegment, Device: s.Device, Tunnel: &t})(n)
}
