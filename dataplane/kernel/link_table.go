package kernel

import (
	"cmp"
	"net/netip"

	"golang.org/x/sys/unix"

	"weft/overlay"
)

// linkTable is the links of a namespace by index: what turns that which the kernel
// tells into objects.
type linkTable struct {
	ns    NS
	links map[int]hostLink
}

// readLinks reads the links of a namespace.
func readLinks(s *space) (linkTable, error) {
	t := linkTable{s.ns, map[int]hostLink{}}
	err := s.links(func(l hostLink) {
		if !isFallback(l) {
			t.links[l.index] = l
			s.index[l.name] = l.index
		}
	})
	return t, err
}

// isFallback reports whether a link is one that some modules put into every
// namespace, and that cannot be deleted (net.core.fb_tunnels_only_for_init_net).
func isFallback(l hostLink) bool {
	switch l.name {
	case "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0":
		return !l.link.Up
	}
	return false
}

func (t linkTable) id(index int) LinkID { return LinkID{t.ns, t.links[index].name} }

func (t linkTable) named(name string) hostLink {
	for _, l := range t.links {
		if l.name == name {
			return l
		}
	}
	return hostLink{}
}

// link is a link without what Weft does not care about when it wants want. Which
// its other end is the table cannot tell.
func (t linkTable) link(l hostLink, want Link) Link {
	have := l.link
	if want.MAC.IsZero() {
		have.MAC = overlay.MAC{}
	}
	if want.MTU == 0 {
		have.MTU = 0
	}
	if !want.NoIPv6 {
		have.NoIPv6 = false
	}
	if want.Bridge.Ageing == 0 {
		have.Bridge.Ageing = 0
	}
	if l.master != 0 {
		have.Master = t.links[l.master].name
	}
	if !want.Port.Owned {
		have.Port = BridgePort{}
	}
	// Of geneve the kernel does not tell, and Weft has none such.
	have.Inside = t.ns != Host && have.Kind == KindVXLAN && l.netnsid == ownNamespace
	if l.outerDevice != 0 {
		have.Outer.Device = t.underlay(l.outerDevice, want.Outer.Device)
	}
	return have
}

// underlay is the name of the device that a tunnel link is bound to. Of one that was made on
// the host and is elsewhere now only the host's table can tell (observer.underlays).
func (t linkTable) underlay(index int, want string) string {
	if t.ns != Host {
		return cmp.Or(want, "?")
	}
	return cmp.Or(t.links[index].name, "?")
}

// Entry states and flags (linux/neighbour.h).
const (
	nudNoARP      = 0x40
	nudPermanent  = 0x80
	ntfExtLearned = 0x10
	ntfSticky     = 0x40
)

// made reports whether somebody made the entry; others come and go with traffic.
func (e fdbEntry) made() bool {
	return e.state&(nudPermanent|nudNoARP) != 0 || e.flags&ntfExtLearned != 0
}

// isDefault reports whether an entry is the one that a vxlan link with a remote, or a group, is made
// with (drivers/net/vxlan/vxlan_core.c, __vxlan_dev_create). It is a part of the link: elsewhere than
// on the host, nobody can take it away or put it back, as its device is not there.
func (t linkTable) isDefault(e fdbEntry) bool {
	l := t.links[e.link].link
	return e.master == 0 && l.Kind == KindVXLAN && e.mac.IsZero() && l.Outer.Remote.IsValid() && e.ip == l.Outer.Remote
}

// tunnel is an entry as one of a vxlan link's FDB.
func (t linkTable) tunnel(e fdbEntry) (k TunnelKey, vtep netip.Addr, ok bool) {
	if e.master != 0 || t.links[e.link].link.Kind != KindVXLAN || t.isDefault(e) {
		return k, vtep, false
	}
	k = TunnelKey{Link: t.id(e.link), MAC: e.mac}
	if e.mac.IsZero() {
		k.Member = e.ip
	}
	return k, e.vtep(), true
}

// station is an entry as one of a bridge's FDB. A bridge keeps entries for the MACs
// of its ports, and its own: these are not meant.
func (t linkTable) station(e fdbEntry) (k StationKey, s Station, ok bool) {
	link := t.links[e.link]
	own := e.mac == link.hwaddr && e.state&nudPermanent != 0
	if e.master == 0 || e.vlan || own {
		return k, s, false
	}
	return StationKey{t.id(e.master), e.mac}, Station{link.name, e.flags&ntfSticky != 0 && e.state&nudPermanent == 0}, true
}

// neighbor is an entry as a neighbour. One that was made otherwise than Weft makes
// them has no MAC: it never is the wanted one.
func (t linkTable) neighbor(e fdbEntry) (k NeighborKey, mac overlay.MAC, ok bool) {
	id := t.id(e.link)
	if e.family == unix.AF_BRIDGE || id.Name == loopbackName || e.ip.IsMulticast() {
		return k, mac, false
	}
	if t.links[e.link].noARP && e.state&nudPermanent == 0 { // the kernel makes one for each destination (net/ipv4/arp.c, arp_constructor)
		return k, mac, false
	}
	if e.state&nudPermanent != 0 {
		mac = e.mac
	}
	return NeighborKey{id, e.ip}, mac, true
}

// address is an address of a link other than the loopback.
func (t linkTable) address(a hostAddress) (Address, bool) {
	id := t.id(a.link)
	return Address{id, a.prefix}, id.Name != loopbackName
}

// route is a route that somebody made.
func (t linkTable) route(r hostRoute) (RouteKey, Route, bool) {
	k := RouteKey{t.ns, r.prefix, r.metric}
	switch r.proto {
	case unix.RTPROT_KERNEL, unix.RTPROT_REDIRECT, unix.RTPROT_RA:
		return k, Route{}, false
	}
	if r.table != unix.RT_TABLE_MAIN || r.kind != unix.RTN_UNICAST && r.kind != unix.RTN_UNREACHABLE {
		return k, Route{}, false
	}
	route := Route{Unreachable: r.kind == unix.RTN_UNREACHABLE, Via: r.via, OnLink: r.onlink, MTU: r.mtu, Protocol: r.proto}
	if !route.Unreachable { // IPv6 has those on the loopback
		route.Device = t.id(r.link).Name
	}
	return k, route, true
}
