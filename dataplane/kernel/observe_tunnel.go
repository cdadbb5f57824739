package kernel

import (
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// tunnelObserver reads the objects of tunnels that stand alone.
type tunnelObserver struct {
	observer
	table linkTable
	// links are the numbers that links had when they were made: one that has lost its tag is
	// known by it, as long as this process is there.
	links map[LinkID]int
	out   tunnelSet
}

// observeTunnels reads what there is of the tunnels that are not out, and of those that are
// not wanted any more. What is wanted goes by it in what others may decide: see letBe.
func (p *Plane) observeTunnels(h *hand, want Objects, out tunnelSet) (Objects, error) {
	o, err := p.readTunnels(h, want, out)
	want.letBe(o.Objects)
	return o.Objects, err
}

// letBe wants the interfaces of tunnels to be ports of those bridges that they are ports of:
// Weft puts none into any, so whoever has meant it. An interface that is made again, because
// its tunnel is another now, goes back there; one that somebody has deleted does not.
func (o Objects) letBe(have Objects) {
	for id, l := range o.Links {
		l.Master = have.Links[id].Master
		o.Links[id] = l
	}
}

func (p *Plane) readTunnels(h *hand, want Objects, out tunnelSet) (o *tunnelObserver, err error) {
	err = untilStill(func() error {
		o = &tunnelObserver{
			observer: observer{hand: h, ns: Host, want: want, Objects: NewObjects(), tables: map[NS]linkTable{}},
			links:    p.tunnelLinks, out: out,
		}
		return o.all()
	})
	if err == nil {
		err = p.observeForwarded(h, p.standAlone(), o.Objects)
	}
	return o, err
}

func (o *tunnelObserver) all() error {
	s, err := o.hand.in(Host)
	if err != nil {
		return err
	}
	if o.table, err = readLinks(s); err != nil {
		return err
	}
	o.tables[Host] = o.table
	o.ownLinks()
	if err := o.carriedIn(); err != nil {
		return err
	}
	if len(o.Links) == 0 && len(o.want.Links) == 0 {
		return nil // most hosts have none, and many routes
	}
	for _, read := range []func(*space) error{o.ownAddresses, o.ownEntries, o.ownRoutes, o.ownSettings} {
		if err := read(s); err != nil {
			return err
		}
	}
	o.peers()
	return nil
}

// ownLinks are those with a tunnel's tag, those that were left half made, and wanted ones
// that had one.
func (o *tunnelObserver) ownLinks() {
	for _, l := range o.table.links {
		id := LinkID{Host, l.name}
		want, wanted := o.want.Links[id]
		name, ours := tunnelTag(l.link.Alias)
		if _, out := o.out[name]; ours && out {
			continue
		}
		if ours || l.group == halfMade || wanted && o.links[id] == l.index {
			o.Links[id] = o.table.tunnelLink(l, want)
		}
	}
}

// tunnelLink is a link of a tunnel that stands alone. How it comes to a link-local address
// is the host's to say.
func (t linkTable) tunnelLink(l hostLink, want Link) Link {
	have := t.link(l, want)
	have.NoLinkLocal = want.NoLinkLocal
	return have
}

func (o *tunnelObserver) ownAddresses(s *space) error {
	return s.addresses(func(a hostAddress) {
		at, ok := o.table.address(a)
		_, ours := o.Links[at.Link]
		_, wanted := o.want.Addresses[at]
		if ok && ours && (wanted || !a.prefix.Addr().IsLinkLocalUnicast()) {
			o.Addresses[at] = struct{}{}
		}
	})
}

func (o *tunnelObserver) ownEntries(s *space) error {
	defaults := map[LinkID]struct{}{}
	fdb := s.entries(unix.AF_BRIDGE, func(e fdbEntry) {
		if o.table.isDefault(e) {
			defaults[o.table.id(e.link)] = struct{}{}
		}
		if k, vtep, ok := o.table.tunnel(e); ok && e.made() && has(o.Links, k.Link) {
			o.Tunnels[k] = vtep
		}
	})
	if fdb != nil {
		return fdb
	}
	for id, l := range o.Links {
		// The link is made again: so it comes back, and nothing else can have it.
		l.Outer.Odd = l.Outer.Odd || l.Kind == KindVXLAN && l.Outer.Remote.IsValid() && !has(defaults, id)
		o.Links[id] = l
	}
	return s.entries(unix.AF_UNSPEC, func(e fdbEntry) {
		if k, mac, ok := o.table.tunnelNeighbor(e); ok && has(o.Links, k.Link) {
			o.Neighbors[k] = mac
		}
	})
}

// tunnelNeighbor is an entry that somebody made: on links without MACs the kernel has some of
// its own, which need none.
func (t linkTable) tunnelNeighbor(e fdbEntry) (NeighborKey, overlay.MAC, bool) {
	k, mac, ok := t.neighbor(e)
	return k, mac, ok && e.state&nudPermanent != 0
}

// ownRoutes are those on the links that Weft has set, and those in their place. Others are
// a routing daemon's.
func (o *tunnelObserver) ownRoutes(s *space) error {
	return s.routes(0, func(r hostRoute) {
		if k, route, ok := o.table.route(r); ok && has(o.Links, LinkID{Host, route.Device}) && (r.proto == Static || has(o.want.Routes, k)) {
			o.Routes[k] = route
		}
	})
}

// ownSettings are those of the links that are wanted.
func (o *tunnelObserver) ownSettings(s *space) error {
	if err := netns.Do(o.hand.path(Host), func() error { return o.sysctlsOf(Host) }); err != nil {
		return err
	}
	return o.unaided()
}

// remember keeps the numbers of the links that are wanted.
func (p *Plane) remember(h *hand, want Objects) error {
	p.tunnelLinks = map[LinkID]int{}
	s, err := h.in(Host)
	if err != nil {
		return err
	}
	for id := range want.Links {
		if id.NS != Host {
			continue
		}
		if p.tunnelLinks[id], err = s.link(id.Name); err != nil {
			return err
		}
	}
	return nil
}
