package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// observer reads from the host the objects of one network, those that are wanted
// and those that are Weft's without being wanted.
type observer struct {
	hand *hand
	name overlay.NetworkName
	ns   NS
	want Objects
	Objects
	// index finds the links that were read, by namespace and index.
	index map[NS]map[int]hostLink
}

// observe reads the objects of a network. want may be empty: then everything is
// read by which Weft knows its own.
func (h *hand) observe(name overlay.NetworkName, ns NS, want Objects) (Objects, error) {
	for tries := 0; ; tries++ {
		o := &observer{hand: h, name: name, ns: ns, want: want, Objects: NewObjects(), index: map[NS]map[int]hostLink{}}
		err := o.all()
		if err == nil {
			return o.Objects, nil
		}
		if !errors.Is(err, errInterrupted) || tries == maxTries {
			return Objects{}, fmt.Errorf("read network %s from the host: %w", name, err)
		}
	}
}

// maxTries to read a host that does not hold still.
const maxTries = 20

func (o *observer) all() error {
	for _, step := range []func() error{o.domain, o.hostLinks, o.workloads, o.redirects} {
		if err := step(); err != nil {
			return err
		}
	}
	o.peers()
	return nil
}

// domain reads everything in the network's namespace: all of it is Weft's.
func (o *observer) domain() error {
	if _, err := netns.ID(string(o.ns)); errors.Is(err, fs.ErrNotExist) {
		o.hand.forget(o.ns)
		return nil
	} else if err != nil {
		return err
	}
	s, err := o.hand.in(o.ns)
	if err != nil {
		return err
	}
	o.Namespaces[o.ns] = struct{}{}
	for _, read := range []func(*space) error{o.domainLinks, o.domainAddresses, o.domainFDB, o.domainNeighbors, o.domainRoutes, o.domainSysctls} {
		if err := read(s); err != nil {
			return err
		}
	}
	return nil
}

func (o *observer) domainLinks(s *space) error {
	index := map[int]hostLink{}
	o.index[o.ns] = index
	err := s.links(func(l hostLink) {
		if !isFallback(l) {
			index[l.index] = l
		}
	})
	for _, l := range index {
		s.index[l.name] = l.index
		o.Links[LinkID{o.ns, l.name}] = o.asLink(o.ns, l)
	}
	return err
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

// asLink is the link without what Weft does not care about.
func (o *observer) asLink(ns NS, l hostLink) Link {
	have := l.link
	want, ok := o.want.Links[LinkID{ns, l.name}]
	if !ok || want.MAC.IsZero() {
		have.MAC = overlay.MAC{}
	}
	if !ok || want.MTU == 0 {
		have.MTU = 0
	}
	if l.master != 0 {
		have.Master = o.index[ns][l.master].name
		if !want.Port.Owned {
			have.Port = BridgePort{}
		}
	}
	return have
}

func (o *observer) linkID(ns NS, index int) LinkID { return LinkID{ns, o.index[ns][index].name} }

func (o *observer) domainAddresses(s *space) error {
	return s.addresses(func(a hostAddress) {
		if id := o.linkID(o.ns, a.link); id.Name != loopbackName {
			o.Addresses[Address{id, a.prefix}] = struct{}{}
		}
	})
}

// domainFDB reads the entries of vxlan links and bridges: those that do not age. A
// bridge keeps one for the MAC of each of its ports, and itself, which are not ours.
func (o *observer) domainFDB(s *space) error {
	return s.entries(unix.AF_BRIDGE, func(e fdbEntry) {
		link := o.index[o.ns][e.link]
		switch {
		case e.state&(nudPermanent|nudNoARP) == 0 && e.flags&ntfExtLearned == 0:
		case e.master == 0 && link.link.Kind == KindVXLAN:
			k := TunnelKey{Link: LinkID{o.ns, link.name}, MAC: e.mac}
			if e.mac.IsZero() {
				k.Member = e.ip
			}
			o.Tunnels[k] = e.vtep()
		case e.master == 0 || e.vlan || e.mac == link.hwaddr && e.state&nudPermanent != 0:
		default:
			k := StationKey{o.linkID(o.ns, e.master), e.mac}
			o.Stations[k] = Station{link.name, e.flags&ntfSticky != 0 && e.state&nudPermanent == 0}
		}
	})
}

// Entry states and flags (linux/neighbour.h).
const (
	nudNoARP      = 0x40
	nudPermanent  = 0x80
	ntfExtLearned = 0x10
)

// domainNeighbors reads the entries that somebody made; those that the kernel
// resolves by itself come and go.
func (o *observer) domainNeighbors(s *space) error {
	return s.entries(unix.AF_UNSPEC, func(e fdbEntry) {
		made := e.state&nudPermanent != 0 || e.flags&ntfExtLearned != 0 ||
			e.state&nudNoARP != 0 && !e.ip.IsMulticast()
		if id := o.linkID(o.ns, e.link); made && e.family != unix.AF_BRIDGE && id.Name != loopbackName {
			k := NeighborKey{id, e.ip}
			o.Neighbors[k] = e.mac
			if e.state&nudPermanent == 0 {
				o.Neighbors[k] = overlay.MAC{} // made differently: never the wanted one
			}
		}
	})
}

// domainRoutes reads the routes that somebody made.
func (o *observer) domainRoutes(s *space) error {
	return s.routes(0, func(r hostRoute) {
		switch r.proto {
		case unix.RTPROT_KERNEL, unix.RTPROT_REDIRECT, unix.RTPROT_RA:
			return
		}
		if r.table != unix.RT_TABLE_MAIN || r.kind != unix.RTN_UNICAST && r.kind != unix.RTN_UNREACHABLE {
			return
		}
		k, route := o.asRoute(o.ns, r)
		o.Routes[k] = route
	})
}

func (o *observer) asRoute(ns NS, r hostRoute) (RouteKey, Route) {
	route := Route{Unreachable: r.kind == unix.RTN_UNREACHABLE, Via: r.via, OnLink: r.onlink, Protocol: r.proto}
	if !route.Unreachable { // IPv6 has those on the loopback
		route.Device = o.linkID(ns, r.link).Name
	}
	return RouteKey{ns, r.prefix, r.metric}, route
}

// domainSysctls reads those that are wanted.
func (o *observer) domainSysctls(s *space) error {
	return netns.Do(string(o.ns), func() error {
		for id := range o.want.Sysctls {
			if id.NS != o.ns {
				continue
			}
			b, err := os.ReadFile("/proc/sys/" + id.Name)
			if err != nil {
				return err
			}
			o.Sysctls[id] = strings.TrimSpace(string(b))
		}
		return nil
	})
}

// peers finds out which veth ends belong together.
func (o *observer) peers() {
	for id, want := range o.want.Links {
		have, ok := o.Links[id]
		if !ok || want.Kind != KindVeth || id.NS != o.ns {
			continue
		}
		if o.want.Links[want.Peer].Lent || o.joined(id, want.Peer) {
			have.Peer = want.Peer
			o.Links[id] = have
		}
		if far, ok := o.Links[want.Peer]; ok && have.Peer != (LinkID{}) {
			far.Peer = id
			o.Links[want.Peer] = far
		}
	}
}

// joined reports whether the links are the two ends of a veth.
func (o *observer) joined(near, far LinkID) bool {
	a, b := o.find(near), o.find(far)
	if a.index == 0 || b.index == 0 || a.lower != b.index || b.lower != a.index {
		return false
	}
	id, err := o.hand.namespaceID(near.NS, far.NS)
	return err == nil && id == a.netnsid
}

func (o *observer) find(id LinkID) hostLink {
	for _, l := range o.index[id.NS] {
		if l.name == id.Name {
			return l
		}
	}
	return hostLink{}
}

// tagged reports whether an alias says that a link is the network's.
func tagged(alias string, name overlay.NetworkName) bool {
	tag := aliasOf(name, "")
	return alias == tag || strings.HasPrefix(alias, tag+"/")
}
