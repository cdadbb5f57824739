package kernel

import (
	"cmp"
	"maps"

	"weft/dataplane"
)

// leftovers deletes what is there and not wanted, in the reverse order of its
// making.
func (d *differ) leftovers() {
	links := map[LinkID]struct{}{}
	for id, l := range d.have.Links {
		if _, ok := d.want.Links[id]; !ok && l.Kind != KindLoopback {
			links[id] = struct{}{}
		}
	}
	left := d.have.without(links)
	// A forwarder that has a link open keeps its namespace alive.
	for _, id := range unwanted(d.have.Carried, d.want.Carried, compareLinkID) {
		d.add(dropCarried{id})
	}
	for _, k := range unwanted(left.Routes, d.want.Routes, compareRouteKey) {
		d.add(deleteRoute{k, left.Routes[k]})
	}
	for _, from := range unwanted(left.Redirects, d.want.Redirects, compareLinkID) {
		d.add(deleteRedirect{from, left.Redirects[from]})
	}
	for _, k := range unwanted(left.Neighbors, d.want.Neighbors, compareNeighborKey) {
		d.add(deleteNeighbor{k})
	}
	for _, k := range unwanted(left.Stations, d.want.Stations, compareStationKey) {
		d.add(deleteStation{k, left.Stations[k]})
	}
	for _, k := range unwanted(left.Tunnels, d.want.Tunnels, compareTunnelKey) {
		d.add(deleteTunnel{k, left.Tunnels[k]})
	}
	for _, a := range unwanted(left.Addresses, d.want.Addresses, compareAddress) {
		d.add(deleteAddress{a})
	}
	d.deleteLinks(links)
	for _, ns := range unwanted(d.have.Namespaces, d.want.Namespaces, cmp.Compare[NS]) {
		d.add(deleteNamespace{ns})
	}
}

// unwanted are the keys of have that want lacks, in order.
func unwanted[K comparable, V any](have, want map[K]V, compare func(a, b K) int) []K {
	extra := map[K]struct{}{}
	for k := range have {
		if _, ok := want[k]; !ok {
			extra[k] = struct{}{}
		}
	}
	return dataplane.SortedKeys(extra, compare)
}

// without is what is left when links are deleted: a veth goes with its other end,
// entries go with their link, and a bridge releases its ports.
func (o Objects) without(links map[LinkID]struct{}) Objects {
	if len(links) == 0 {
		return o
	}
	gone := maps.Clone(links)
	for id := range links {
		if peer := o.Links[id].Peer; peer != (LinkID{}) {
			gone[peer] = struct{}{}
		}
	}
	is := func(ns NS, name string) bool { _, ok := gone[LinkID{ns, name}]; return ok }
	isLink := func(id LinkID) bool { return is(id.NS, id.Name) }
	left := o
	left.Links = map[LinkID]Link{}
	for id, l := range o.Links {
		if isLink(id) {
			continue
		}
		if l.Master != "" && is(id.NS, l.Master) {
			l.Master, l.Port = "", BridgePort{}
		}
		left.Links[id] = l
	}
	left.Addresses = filter(o.Addresses, func(a Address) bool { return !isLink(a.Link) })
	left.Tunnels = filter(o.Tunnels, func(k TunnelKey) bool { return !isLink(k.Link) })
	left.Neighbors = filter(o.Neighbors, func(k NeighborKey) bool { return !isLink(k.Link) })
	left.Stations = keep(o.Stations, func(k StationKey, s Station) bool {
		return !isLink(k.Bridge) && !is(k.Bridge.NS, s.Port)
	})
	left.Routes = keep(o.Routes, func(k RouteKey, r Route) bool { return r.Device == "" || !is(k.NS, r.Device) })
	left.Forwarded, left.Unaided = filter(o.Forwarded, func(id LinkID) bool { return !isLink(id) }), filter(o.Unaided, func(id LinkID) bool { return !isLink(id) })
	left.Carried = filter(o.Carried, func(id LinkID) bool { return !isLink(id) })
	left.Answers = keep(o.Answers, func(from LinkID, a Answer) bool { return !isLink(from) && !is(from.NS, a.By) })
	left.Redirects = keep(o.Redirects, func(from LinkID, to string) bool { return !isLink(from) && !is(from.NS, to) })
	return left
}

func filter[K comparable, V any](m map[K]V, ok func(K) bool) map[K]V {
	return keep(m, func(k K, _ V) bool { return ok(k) })
}

func keep[K comparable, V any](m map[K]V, ok func(K, V) bool) map[K]V {
	kept := map[K]V{}
	for k, v := range m {
		if ok(k, v) {
			kept[k] = v
		}
	}
	return kept
}
