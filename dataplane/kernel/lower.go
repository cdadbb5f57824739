package kernel

import (
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/encap"
	"weft/overlay"
)

// Lower turns a State into the objects that make the host forward so. Domains
// are mounted in dir. Held networks have none: they are left alone.
func Lower(s dataplane.State, dir string) Objects {
	o := NewObjects()
	for _, n := range s.Networks {
		lowering{o, DomainNS(dir, n.Name), n}.all()
	}
	return o
}

// LowerNetwork is Lower for one network.
func LowerNetwork(n dataplane.Network, dir string) Objects {
	l := lowering{NewObjects(), DomainNS(dir, n.Name), n}
	l.all()
	return l.Objects
}

// LowerChange is what of LowerNetwork a change can concern, before and after: all
// that differs is among it. Its cost is that of the change, not of the network.
func LowerChange(old, next dataplane.Network, d dataplane.NetworkDelta, dir string) (was, want Objects) {
	nodes := nodesOf(old, next, d)
	part := func(n dataplane.Network) Objects {
		l := lowering{NewObjects(), DomainNS(dir, n.Name), n}
		l.Namespaces[l.ns] = struct{}{}
		if n.Plane == overlay.PlaneEBPF {
			l.programsChanged(d, nodes)
			return l.Objects
		}
		l.changed(d, nodes)
		if l.onUser() && !(d.Members.Empty() && d.Routes.Empty()) {
			l.carried()
		}
		if !d.Ports.Empty() {
			l.Filters[l.ns] = nft.Domain(n)
		}
		return l.Objects
	}
	was, want = part(old), part(next)
	if next.Plane == overlay.PlaneEBPF {
		was.Programs[old.Name] = "the network has changed"
		for id := range was.Forwarded {
			was.Forwarded[id] = "the tunnel has changed"
		}
	}
	return was, want
}

// lowering collects the objects of one network.
type lowering struct {
	Objects
	ns NS
	n  dataplane.Network
}

func (l lowering) all() {
	if l.n.Plane == overlay.PlaneEBPF {
		l.programmed()
		return
	}
	l.domain()
	l.collections()
}

// domain adds the namespace and what is in it without any port or member.
func (l lowering) domain() {
	l.Namespaces[l.ns] = struct{}{}
	l.Links[l.link(loopbackName)] = Link{Kind: KindLoopback, Alias: aliasOf(l.n.Name, ""), Up: true}
	l.Filters[l.ns] = nft.Domain(l.n)
	if l.n.Kind == overlay.Routed {
		l.routedDomain()
	} else {
		l.bridgedDomain()
	}
}

// collections adds what follows from the network's ports, stations, neighbours,
// members and routes.
func (l lowering) collections() {
	for _, p := range l.n.Ports {
		l.port(p)
	}
	for node := range l.n.Members {
		l.member(node)
	}
	if l.n.Kind == overlay.Routed {
		for prefix, r := range l.n.Routes {
			l.route(prefix, r)
		}
		return
	}
	for mac, node := range l.n.Remotes {
		l.remote(mac, node)
	}
	for ip, mac := range l.n.Neighbors {
		l.neighbor(ip, mac)
	}
}

// link is the id of a link in the domain.
func (l lowering) link(name string) LinkID { return LinkID{l.ns, name} }

// tunnel is the network's vxlan link.
func (l lowering) tunnel() Link {
	return Link{
		Kind: KindVXLAN, Alias: aliasOf(l.n.Name, ""),
		MTU: tunnelMTU(l.n.Settings), Up: true, NoLinkLocal: true, Outer: outerOfNetwork(l.n.Settings),
	}
}

// outerOfNetwork is how a network's tunnel packets look outside.
func outerOfNetwork(n dataplane.Settings) Outer {
	o := Outer{
		VNI: n.VNI, Local: n.Local, Remote: n.Group, Port: n.Port, Device: n.UnderlayDevice, TTL: uint8(n.TTL),
		Learning: n.Learning, Ageing: uint32(ageingOf(n)), ZeroChecksum6: n.Local.Is6(),
	}
	if n.SourcePorts != nil {
		o.SourcePorts = *n.SourcePorts
	}
	if none := n.UDPChecksum != nil && !*n.UDPChecksum; n.Local.Is6() {
		o.ZeroChecksum6Tx = none
	} else {
		o.NoChecksum = none
	}
	return o
}

// ageingOf is how long a network's stations are remembered that are learnt, in seconds.
func ageingOf(n dataplane.Settings) int {
	if n.Learning {
		return n.AgeingSeconds
	}
	return defaultAgeing
}

// tunnelMTU is the underlay's, so that the link answers what is too large; but one that is bound
// to a device can have no more than fits that (drivers/net/vxlan/vxlan_core.c, vxlan_change_mtu).
func tunnelMTU(n dataplane.Settings) int {
	room, err := encap.Overhead(n.Encapsulation, n.Kind, overlay.FamilyOf(n.Local))
	if n.UnderlayDevice == "" || err != nil {
		return n.UnderlayMTU
	}
	return n.UnderlayMTU - room
}

func (l lowering) sysctls(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		l.Sysctls[SysctlID{l.ns, pairs[i]}] = pairs[i+1]
	}
}

func (l lowering) address(id LinkID, a netip.Addr, bits int) {
	l.Addresses[Address{id, netip.PrefixFrom(a, bits)}] = struct{}{}
}

// host is the prefix of one address.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
