package kernel

import (
	"cmp"
	"maps"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// Diff computes what makes a host that has the objects have the wanted ones. It
// changes only what differs, adds before it deletes, and replaces in place:
// a packet finds either the old or the new entry, never none. Only what cannot
// be changed in a link's life, such as a VNI, takes the link away first.
//
// The order is that in which the kernel needs things, routes last; what goes with
// its link or namespace is not deleted by itself.
func Diff(want, have Objects) []Op {
	d := differ{want: want, have: have}
	d.changes()
	d.leftovers()
	return d.ops
}

// changes are all but the leftovers.
func (d *differ) changes() {
	d.replaceLinks()
	d.namespaces()
	d.sysctls(false)
	d.links()
	d.sysctls(true)
	d.filters()
	d.programs()
	d.carried()
	d.redirects()
	d.up()
	d.addresses()
	d.tunnels()
	d.stations()
	d.published()
	d.neighbors()
	d.routes()
}

// differ collects ops. have is what is there after those it has.
type differ struct {
	want, have Objects
	ops        []Op
	// ups are for when links have their filters.
	ups []Op
}

func (d *differ) add(op Op) { d.ops = append(d.ops, op) }

// replaceLinks takes away links whose place another link is to take.
func (d *differ) replaceLinks() {
	replaced := map[LinkID]struct{}{}
	for id, have := range d.have.Links {
		want, ok := d.want.Links[id]
		switch {
		case ok && want.sameDevice(have):
			continue
		case ok && !want.changesFrom(have), d.want.needsPlaceOf(id, have):
			replaced[id] = struct{}{}
		}
	}
	d.deleteLinks(replaced)
	d.have = d.have.without(replaced)
}

// needsPlaceOf reports whether a link cannot be there beside one that is there: two tunnels that
// exchange what tells them apart cannot become each other in place.
func (o Objects) needsPlaceOf(id LinkID, have Link) bool {
	for other, l := range o.Links {
		if other != id && l.excludes(have) {
			return true
		}
	}
	return false
}

// sameDevice reports whether have can be made want by setting attributes.
func (l Link) sameDevice(have Link) bool {
	return l.Kind == have.Kind && l.Outer == have.Outer && l.Inside == have.Inside && l.Peer == have.Peer
}

// deleteLinks deletes each link, of a veth the end in Weft's own namespace, or at least
// the one that has not been lent.
func (d *differ) deleteLinks(ids map[LinkID]struct{}) {
	done := map[LinkID]struct{}{}
	order := func(a, b LinkID) int {
		return cmp.Or(-compareBool(d.have.inDomain(a), d.have.inDomain(b)),
			compareBool(d.have.Links[a].Lent, d.have.Links[b].Lent), compareLinkID(a, b))
	}
	for _, id := range dataplane.SortedKeys(ids, order) {
		if _, ok := done[id]; !ok {
			d.add(deleteLink{id})
			done[d.have.Links[id].Peer] = struct{}{}
		}
	}
}

func (o Objects) inDomain(id LinkID) bool {
	_, ok := o.Namespaces[id.NS]
	return ok
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (d *differ) namespaces() {
	for _, ns := range dataplane.SortedKeys(d.want.Namespaces, cmp.Compare[NS]) {
		if _, ok := d.have.Namespaces[ns]; !ok {
			d.add(addNamespace{ns})
			d.have.Links = maps.Clone(d.have.Links)
			d.have.Links[LinkID{ns, loopbackName}] = Link{Kind: KindLoopback}
		}
	}
}

// sysctls sets those of links, which have to be there, or the others.
func (d *differ) sysctls(ofLinks bool) {
	for _, id := range dataplane.SortedKeys(d.want.Sysctls, compareSysctlID) {
		if want := d.want.Sysctls[id]; d.have.Sysctls[id] != want && id.isOfLink() == ofLinks {
			d.add(setSysctl{id, want})
		}
	}
}

func (d *differ) addresses() {
	for _, a := range dataplane.SortedKeys(d.have.Addresses, compareAddress) {
		// IPv6 has an address on a link once, whatever its prefix length.
		if _, ok := d.want.Addresses[a]; !ok && d.want.hasAddress(a) {
			d.add(deleteAddress{a})
			d.have.Addresses = maps.Clone(d.have.Addresses)
			delete(d.have.Addresses, a)
		}
	}
	for _, a := range dataplane.SortedKeys(d.want.Addresses, compareAddress) {
		if _, ok := d.have.Addresses[a]; !ok {
			d.add(addAddress{a})
		}
	}
}

// hasAddress reports whether the link has the address, with any prefix length.
func (o Objects) hasAddress(a Address) bool {
	for b := range o.Addresses {
		if b.Link == a.Link && b.Prefix.Addr() == a.Prefix.Addr() {
			return true
		}
	}
	return false
}

func (d *differ) tunnels() {
	for _, k := range dataplane.SortedKeys(d.want.Tunnels, compareTunnelKey) {
		if want := d.want.Tunnels[k]; d.have.Tunnels[k] != want {
			d.add(setTunnel{k, want})
		}
	}
}

func (d *differ) stations() {
	for _, k := range dataplane.SortedKeys(d.want.Stations, compareStationKey) {
		if want := d.want.Stations[k]; d.have.Stations[k] != want {
			d.add(setStation{k, want})
		}
	}
}

func (d *differ) neighbors() {
	for _, k := range dataplane.SortedKeys(d.want.Neighbors, compareNeighborKey) {
		if want := d.want.Neighbors[k]; d.have.Neighbors[k] != want {
			d.add(setNeighbor{k, want})
		}
	}
}

func (d *differ) programs() {
	for _, id := range dataplane.SortedKeys(d.want.Unaided, compareLinkID) {
		if !has(d.have.Unaided, id) {
			d.add(setUnaided{id})
		}
	}
	for _, id := range dataplane.SortedKeys(d.want.Forwarded, compareLinkID) {
		if why, ok := d.have.Forwarded[id]; !ok || why != "" {
			d.add(forwardTunnel{id, cmp.Or(why, "none")})
		}
	}
	for _, name := range dataplane.SortedKeys(d.want.Programs, cmp.Compare[overlay.NetworkName]) {
		if why, ok := d.have.Programs[name]; !ok || why != "" {
			d.add(forward{name, cmp.Or(why, "none")})
		}
	}
}

func (d *differ) carried() {
	for _, id := range dataplane.SortedKeys(d.want.Carried, compareLinkID) {
		if want, have := d.want.Carried[id], d.have.Carried[id]; !have.Equal(want) {
			d.add(setCarried{id, want, have.Broken})
		}
	}
}

func (d *differ) redirects() {
	for _, from := range dataplane.SortedKeys(d.want.Redirects, compareLinkID) {
		if want := d.want.Redirects[from]; d.have.Redirects[from] != want {
			d.add(addRedirect{from, want})
		}
	}
	for _, from := range dataplane.SortedKeys(d.want.Answers, compareLinkID) {
		if want := d.want.Answers[from]; d.have.Answers[from] != want {
			d.add(setAnswer{from, want})
		}
	}
}

func (d *differ) routes() {
	// A route needs its next hop to be reachable: those on a link come first.
	keys := slices.SortedFunc(maps.Keys(d.want.Routes), func(a, b RouteKey) int {
		return cmp.Or(compareBool(d.want.Routes[a].Via.IsValid(), d.want.Routes[b].Via.IsValid()), compareRouteKey(a, b))
	})
	for _, k := range keys {
		want := d.want.Routes[k]
		have, ok := d.have.Routes[k]
		switch {
		case ok && want == have:
		case !ok:
			d.add(addRoute{k, want})
		case want.Unreachable != have.Unreachable:
			d.add(deleteRoute{k, have})
			d.add(addRoute{k, want})
		default:
			d.add(changeRoute{k, want})
		}
	}
}
