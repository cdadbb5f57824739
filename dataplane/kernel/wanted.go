package kernel

import (
	"maps"
	"net/netip"
	"sync"

	"weft/dataplane"
	"weft/overlay"
)

// wanted is what notifications are compared with. It is never changed: an Apply puts
// another in its place, before it changes the host. Only the collections of the
// networks' States change beneath it, with a Delta.
type wanted struct {
	networks map[overlay.NetworkName]*wantedNetwork
	// hosts says whose links those on the host are.
	hosts map[LinkID]overlay.NetworkName
	// host is what belongs to no single network, tunnels is that of tunnels that stand alone.
	host, tunnels Objects
}

// wantedNetwork is one network: its State, and the objects of it that are few.
// The many, for remote stations and their neighbours, are found in the State.
type wantedNetwork struct {
	net dataplane.Network
	// changing is held while the collections of net change.
	changing *sync.RWMutex
	ns       NS
	frame    Objects
	// segments are the segment ports, by device.
	segments map[string]overlay.EndpointName
}

func (p *Plane) wantNetwork(n dataplane.Network) *wantedNetwork {
	few := n
	few.Remotes, few.Neighbors = nil, nil
	w := &wantedNetwork{
		net: n, changing: &p.changing, ns: DomainNS(p.NetnsDir, n.Name), frame: LowerNetwork(few, p.NetnsDir),
		segments: map[string]overlay.EndpointName{},
	}
	for name, p := range n.Ports {
		if p.Kind == overlay.PortSegment && n.Kind == overlay.Bridged { // in a routed network it is no port with stations
			w.segments[p.Device] = name
		}
	}
	// What is elsewhere, too, is there alone (differ.published).
	maps.DeleteFunc(w.frame.Published, func(k StationKey, _ string) bool { _, elsewhere := w.station(k); return elsewhere })
	return w
}

// with is w with another network in its place; nil takes it away.
func (w *wanted) with(name overlay.NetworkName, n *wantedNetwork) *wanted {
	next := &wanted{networks: map[overlay.NetworkName]*wantedNetwork{}, hosts: map[LinkID]overlay.NetworkName{}, host: w.host, tunnels: w.tunnels}
	maps.Copy(next.networks, w.networks)
	delete(next.networks, name)
	if n != nil {
		next.networks[name] = n
	}
	for name, n := range next.networks {
		for id := range n.frame.Links {
			if id.NS == Host {
				next.hosts[id] = name
			}
		}
	}
	return next
}

// onHost is w with another part that belongs to no single network.
func (w *wanted) onHost(s dataplane.State) *wanted {
	next := *w
	next.host, next.tunnels = LowerHost(s), LowerTunnels(s.Tunnels)
	return &next
}

// after is w after a change that concerns nothing but remote stations and
// neighbours.
func (w *wantedNetwork) after(n dataplane.Network) *wantedNetwork {
	next := *w
	next.net = n
	return &next
}

// onlyMany reports whether a change concerns nothing that is in a frame.
func onlyMany(d dataplane.NetworkDelta) bool {
	d.Remotes, d.Neighbors = dataplane.Changes[overlay.MAC, overlay.NodeName]{}, dataplane.Changes[netip.Addr, overlay.MAC]{}
	return d.Empty()
}

func (w *wantedNetwork) tunnel(k TunnelKey) (netip.Addr, bool) {
	w.changing.RLock()
	defer w.changing.RUnlock()
	if vtep, ok := w.frame.Tunnels[k]; ok || w.net.Kind == overlay.Routed {
		return vtep, ok
	}
	m, ok := w.net.Members[w.net.Remotes[k.MAC]]
	return m.VTEP, ok && !hasMemberLinks(w.net) && k == (TunnelKey{Link: LinkID{w.ns, tunnelName}, MAC: k.MAC})
}

func (w *wantedNetwork) station(k StationKey) (Station, bool) {
	w.changing.RLock()
	defer w.changing.RUnlock()
	if s, ok := w.frame.Stations[k]; ok || w.net.Kind == overlay.Routed {
		return s, ok
	}
	node := w.net.Remotes[k.MAC]
	_, ok := w.net.Members[node]
	return Station{uplinkTo(w.net, node), true}, ok && k.Bridge == LinkID{w.ns, bridgeName}
}

func (w *wantedNetwork) neighbor(k NeighborKey) (overlay.MAC, bool) {
	w.changing.RLock()
	defer w.changing.RUnlock()
	if mac, ok := w.frame.Neighbors[k]; ok || w.net.Kind == overlay.Routed {
		return mac, ok
	}
	mac, ok := w.net.Neighbors[k.Address]
	return mac, ok && k.Link == LinkID{w.ns, bridgeName}
}
