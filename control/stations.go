package control

import (
	"net/netip"
	"slices"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
)

// stationGrace is how long a station that an earlier run published may stay
// without having been seen by this one: a bridge's default ageing time.
const stationGrace = 5 * time.Minute

// maxAddresses bounds what runs add up to for one station: those that are in use
// have the place then.
const maxAddresses = 16

// stations says which of this node's published stations this run has seen.
type stations struct {
	since     time.Time
	confirmed map[overlay.Key]bool
}

func newStations() stations { return stations{confirmed: map[overlay.Key]bool{}} }

// withdrawUnseen withdraws what an earlier run published and this one never saw.
func (l *Loop) withdrawUnseen(now time.Time) {
	if !l.started || now.Sub(l.stations.since) < stationGrace {
		return
	}
	for k, e := range l.table.entries {
		ep, ok := e.resource.(*overlay.Endpoint)
		if ok && ep.Spec.Port == overlay.PortStation && ep.Spec.Node == l.Node && !l.stations.confirmed[k] {
			l.outbox.post(store.Change{Delete: k, Expect: ep.Revision})
		}
	}
}

// stationSeen publishes a station that the plane learnt on a segment port.
// Addresses outside the network's subnets are not published: the station may
// use them, but nobody here is asked for them. Those that an earlier run published
// stay until the station goes: it may be known by its MAC alone, as long as it is silent.
func (l *Loop) stationSeen(e dataplane.Event) {
	network, known := l.table.entries[overlay.Key{Kind: overlay.KindNetwork, Name: string(e.Network)}]
	if !known || !l.hasPort(e.Network, e.Port) {
		return // detached meanwhile
	}
	name, subnets := overlay.StationName(e.Station.MAC), network.resource.(*overlay.Network).Spec.Subnets
	station := &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: e.Network, Name: string(name)},
		Spec: overlay.EndpointSpec{
			Node: l.Node, Port: overlay.PortStation, MAC: e.Station.MAC, Via: e.Port,
			Addresses: within(subnets, e.Station.Addresses),
		},
	}
	l.stations.confirmed[station.Key()] = true
	if old, ok := l.station(station.Key()); ok && old.Spec.Node == l.Node && old.Spec.Via == e.Port {
		all := within(subnets, slices.Concat(e.Station.Addresses, old.Spec.Addresses))
		if len(all) <= maxAddresses {
			station.Spec.Addresses = all
		}
		if slices.Equal(old.Spec.Addresses, station.Spec.Addresses) {
			return
		}
	}
	l.outbox.post(store.Change{Put: station, Expect: store.Any})
}

// hasPort reports whether a port is still there: an endpoint's, or a tunnel that is attached.
func (l *Loop) hasPort(network overlay.NetworkName, port overlay.EndpointName) bool {
	k := overlay.Key{Kind: overlay.KindEndpoint, Network: network, Name: string(port)}
	if name, ok := port.Tunnel(); ok {
		k.Kind, k.Name = overlay.KindTunnel, string(name)
	}
	_, there := l.table.entries[k]
	return there
}

func within(subnets []netip.Prefix, addresses []netip.Addr) []netip.Addr {
	var in []netip.Addr
	for _, a := range addresses {
		if slices.ContainsFunc(subnets, func(p netip.Prefix) bool { return p.Contains(a) }) {
			in = append(in, a)
		}
	}
	slices.SortFunc(in, netip.Addr.Compare)
	return slices.Compact(in)
}

// stationGone withdraws a station that aged out here. One that another node
// has taken over meanwhile is left to that node.
func (l *Loop) stationGone(e dataplane.Event) {
	k := overlay.Key{Kind: overlay.KindEndpoint, Network: e.Network, Name: string(overlay.StationName(e.Station.MAC))}
	delete(l.stations.confirmed, k)
	if old, ok := l.station(k); ok && old.Spec.Node == l.Node && old.Spec.Via == e.Port {
		l.outbox.post(store.Change{Delete: k, Expect: old.Revision})
	}
}

func (l *Loop) station(k overlay.Key) (*overlay.Endpoint, bool) {
	ep, ok := l.table.entries[k].resource.(*overlay.Endpoint)
	return ep, ok && ep.Spec.Port == overlay.PortStation
}

// stationsVia are the stations behind a segment port of this node.
func (l *Loop) stationsVia(network overlay.NetworkName, port overlay.EndpointName) []overlay.Key {
	var keys []overlay.Key
	for k, e := range l.table.entries {
		if ep, ok := e.resource.(*overlay.Endpoint); ok && ep.Network == network && ep.Spec.Node == l.Node && ep.Spec.Via == port {
			keys = append(keys, k)
		}
	}
	return keys
}
