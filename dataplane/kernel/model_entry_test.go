package kernel

import (
	"errors"
	"fmt"
	"maps"

	"weft/overlay"
)

// entry does the ops on what stands on links, and beside them.
func (m model) entry(op Op) error {
	switch o := op.(type) {
	case setGRO:
		l := m.Links[o.ID]
		l.NoGRO = !o.On
		m.Links[o.ID] = l
		return m.exists(o.ID)
	case addAddress:
		for a := range m.Addresses {
			if a.Link == o.Link && a.Prefix.Addr() == o.Prefix.Addr() {
				return fmt.Errorf("address %v exists", a)
			}
		}
		m.Addresses[o.Address] = struct{}{}
		return m.exists(o.Link)
	case deleteAddress:
		return take(m.Addresses, o.Address)
	case setTunnel:
		m.Tunnels[o.TunnelKey] = o.VTEP
		return m.exists(o.Link)
	case deleteTunnel:
		return take(m.Tunnels, o.TunnelKey)
	case setStation:
		if m.Links[LinkID{o.Bridge.NS, o.Port}].Master != o.Bridge.Name {
			return fmt.Errorf("%s is no port of %v", o.Port, o.Bridge)
		}
		m.Stations[o.StationKey] = o.Station
		return m.exists(o.Bridge)
	case addPublished:
		if l := m.Links[LinkID{o.Bridge.NS, o.Port}]; l.Master != o.Bridge.Name || !l.Up {
			return fmt.Errorf("%s is no port of %v that forwards", o.Port, o.Bridge)
		}
		m.Published[o.StationKey] = o.Port
		return m.exists(o.Bridge)
	case deleteStation:
		return take(m.Stations, o.StationKey)
	case setNeighbor:
		m.Neighbors[o.NeighborKey] = o.MAC
		return m.exists(o.Link)
	case deleteNeighbor:
		return take(m.Neighbors, o.NeighborKey)
	case addRoute:
		if _, ok := m.Routes[o.RouteKey]; ok {
			return fmt.Errorf("route %v exists", o.RouteKey)
		}
		return m.setRoute(o.RouteKey, o.Route)
	case changeRoute:
		if _, ok := m.Routes[o.RouteKey]; !ok {
			return fmt.Errorf("there is no route %v", o.RouteKey)
		}
		return m.setRoute(o.RouteKey, o.Route)
	case deleteRoute:
		return take(m.Routes, o.RouteKey)
	case addRedirect:
		m.Redirects[o.From] = o.To
		return m.exists(LinkID{o.From.NS, o.To})
	case setAnswer:
		m.Answers[o.From] = o.Answer
		return errors.Join(m.exists(o.From), m.exists(LinkID{o.From.NS, o.By}))
	case deleteRedirect:
		return take(m.Redirects, o.From)
	}
	return fmt.Errorf("unknown op %T", op)
}

func take[K comparable, V any](from map[K]V, k K) error {
	if _, ok := from[k]; !ok {
		return fmt.Errorf("there is no %v", k)
	}
	delete(from, k)
	return nil
}

func (m model) setRoute(k RouteKey, r Route) error {
	m.Routes[k] = r
	if r.Unreachable {
		return nil
	}
	return m.exists(LinkID{k.NS, r.Device})
}

// prune drops what the kernel drops with a link: entries, and routes through it.
func (m model) prune() {
	missing := func(ns NS, name string) bool { _, ok := m.Links[LinkID{ns, name}]; return !ok }
	maps.DeleteFunc(m.Tunnels, func(k TunnelKey, _ vtep) bool { return missing(k.Link.NS, k.Link.Name) })
	maps.DeleteFunc(m.Stations, func(k StationKey, s Station) bool {
		return missing(k.Bridge.NS, k.Bridge.Name) || m.Links[LinkID{k.Bridge.NS, s.Port}].Master != k.Bridge.Name
	})
	maps.DeleteFunc(m.Neighbors, func(k NeighborKey, _ overlay.MAC) bool { return missing(k.Link.NS, k.Link.Name) })
	maps.DeleteFunc(m.Routes, func(k RouteKey, r Route) bool { return !r.Unreachable && missing(k.NS, r.Device) })
	maps.DeleteFunc(m.Redirects, func(from LinkID, to string) bool { return missing(from.NS, to) })
	maps.DeleteFunc(m.Answers, func(from LinkID, a Answer) bool { return missing(from.NS, a.By) })
}
