package dataplanetest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// Observe implements dataplane.Plane. The tables are the State's: there is nothing
// else that could differ.
func (m *Memory) Observe(ctx context.Context, name overlay.NetworkName) (dataplane.Observation, error) {
	if err := ctx.Err(); err != nil {
		return dataplane.Observation{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := dataplane.Observation{Networks: map[overlay.NetworkName]dataplane.NetworkView{}}
	for n, network := range m.state.Networks {
		if name == "" || name == n {
			view := viewOfNetwork(network, m.learnt[n])
			view.Drops = maps.Clone(m.drops[n])
			seen.Networks[n] = view
		}
	}
	return seen, nil
}

// Compare implements dataplane.Plane.
func (m *Memory) Compare(ctx context.Context) (dataplane.Observation, error) {
	seen, err := m.Observe(ctx, "")
	for name, v := range seen.Networks {
		v.Links, v.FDB, v.Neighbors, v.Routes = nil, nil, nil, nil
		seen.Networks[name] = v
	}
	return seen, err
}

// Drops counts packets by reason, with those of no network here.
func (m *Memory) Drops() map[overlay.DropReason]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := map[overlay.DropReason]uint64{}
	for _, byReason := range m.drops {
		for why, count := range byReason {
			sum[why] += count
		}
	}
	for why, count := range m.unknown {
		sum[why] += count
	}
	return sum
}

const (
	deviceTunnel = "vtep"
	everAged     = -1 // the age of what was programmed
)

func viewOfNetwork(n dataplane.Network, learnt map[overlay.MAC]overlay.EndpointName) dataplane.NetworkView {
	v := dataplane.NetworkView{Links: linksOf(n), FDB: fdbOf(n, learnt), Routes: routesOf(n)}
	for _, a := range dataplane.SortedKeys(n.Neighbors, netip.Addr.Compare) {
		v.Neighbors = append(v.Neighbors, dataplane.Neighbor{
			Address: a, MAC: n.Neighbors[a], State: "permanent", Origin: dataplane.FromRegistry, Age: everAged,
		})
	}
	v.Wanted = len(v.Links) + len(v.FDB) + len(v.Neighbors) + len(v.Routes)
	v.Present = v.Wanted
	return v
}

func linksOf(n dataplane.Network) []dataplane.Link {
	links := []dataplane.Link{{
		Device: deviceTunnel, Type: string(n.Encapsulation), Up: true, MTU: n.UnderlayMTU, MAC: n.VTEPMAC,
		Tunnel: &dataplane.TunnelView{VNI: n.VNI, Local: n.Local, Port: n.Port, Checksum: n.Local.Is6()},
	}}
	for _, name := range dataplane.SortedKeys(n.Ports, cmp.Compare) {
		p := n.Ports[name]
		links = append(links, dataplane.Link{
			Device: p.Device, Type: "memory", Up: true, MTU: n.MTU, MAC: p.MAC, Port: name,
		})
	}
	return links
}

func fdbOf(n dataplane.Network, learnt map[overlay.MAC]overlay.EndpointName) []dataplane.FDBEntry {
	var fdb []dataplane.FDBEntry
	for _, name := range dataplane.SortedKeys(n.Ports, cmp.Compare) {
		if p := n.Ports[name]; !p.MAC.IsZero() {
			fdb = append(fdb, dataplane.FDBEntry{MAC: p.MAC, Device: p.Device, Port: name, Origin: dataplane.FromRegistry, Age: everAged})
		}
	}
	for _, mac := range dataplane.SortedKeys(n.Remotes, compareMAC) {
		node := n.Remotes[mac]
		fdb = append(fdb, dataplane.FDBEntry{
			MAC: mac, Device: deviceTunnel, VTEP: n.Members[node].VTEP, Node: node, Origin: dataplane.FromRegistry, Age: everAged,
		})
	}
	for _, mac := range dataplane.SortedKeys(learnt, compareMAC) {
		port := learnt[mac]
		fdb = append(fdb, dataplane.FDBEntry{
			MAC: mac, Device: n.Ports[port].Device, Port: port, Origin: dataplane.FromLearnt, Age: everAged,
		})
	}
	return fdb
}

func routesOf(n dataplane.Network) []dataplane.HostRoute {
	var routes []dataplane.HostRoute
	for _, prefix := range dataplane.SortedKeys(n.Routes, netip.Prefix.Compare) {
		r := n.Routes[prefix]
		routes = append(routes, dataplane.HostRoute{
			Prefix: prefix, Via: r.Via, Type: "unicast", Node: r.Node, Origin: dataplane.FromRegistry,
		})
	}
	return routes
}

func compareMAC(a, b overlay.MAC) int { return bytes.Compare(a[:], b[:]) }
