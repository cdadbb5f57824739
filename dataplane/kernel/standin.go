package kernel

import (
	"maps"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// While a network goes to another plane, its workloads are on both: on the one with their
// port, on the other with a stand-in, a second veth into the workload's namespace. What the
// workload's interface sends leaves by the stand-in, what comes in there is taken as if it
// had come in at the interface (see Diversion). So a port moves when it carries
// nothing, and the interface stays what it is.

// standsIn reports whether a port is stood in for. The far end of other ports is somebody
// else's, or, a tap, on the host on either plane.
func standsIn(p dataplane.Port) bool { return p.Attach.Type == overlay.AttachNetns }

// moves reports whether a port's end goes from one namespace to another with its network's
// plane. Those of bridges are made anew: their names and ends are others.
func moves(p dataplane.Port) bool {
	return p.Attach.Type == overlay.AttachNetns || p.Attach.Type == overlay.AttachVeth
}

// standInName is the name of both ends of a port's stand-in.
func standInName(p dataplane.Port) string { return "wt" + p.Device[2:] }

// stoodIn is a network over stand-ins, with those of the other ports that pass.
func stoodIn(n dataplane.Network, others func(dataplane.Port) bool) dataplane.Network {
	ports := map[overlay.EndpointName]dataplane.Port{}
	for name, p := range n.Ports {
		switch {
		case standsIn(p):
			p.Device, p.Attach.Interface = standInName(p), standInName(p)
			ports[name] = p
		case others(p):
			ports[name] = p
		}
	}
	n.Ports = ports
	return n
}

// lowerStoodIn is LowerNetwork for a network over stand-ins, which have no addresses and no
// routes: their workload's interface has them.
func lowerStoodIn(n dataplane.Network, dir string) Objects {
	o := LowerNetwork(n, dir)
	workloads := map[NS]bool{}
	for _, p := range n.Ports {
		if standsIn(p) {
			far := LinkID{NS(p.Attach.Target), p.Attach.Interface}
			workloads[far.NS] = true
			l := o.Links[far]
			l.NoIPv6 = true
			o.Links[far] = l
		}
	}
	maps.DeleteFunc(o.Addresses, func(a Address, _ struct{}) bool { return workloads[a.Link.NS] })
	maps.DeleteFunc(o.Routes, func(k RouteKey, _ Route) bool { return workloads[k.NS] })
	return o
}

// withStandIns is a network on its ports and on their stand-ins. These come first: where a
// MAC or an address can be at one port only, it is at the port.
func withStandIns(n dataplane.Network) dataplane.Network {
	ports := maps.Clone(n.Ports)
	for name, p := range stoodIn(n, func(dataplane.Port) bool { return false }).Ports {
		p.Name = "-" + name
		ports[p.Name] = p
	}
	n.Ports = ports
	return n
}

// lowerBoth is what there is on ports and stand-ins.
func lowerBoth(n dataplane.Network, dir string) Objects {
	both := lowerStoodIn(stoodIn(n, func(dataplane.Port) bool { return false }), dir)
	own := LowerNetwork(n, dir)
	maps.Copy(both.Links, own.Links)
	maps.Copy(both.Sysctls, own.Sysctls)
	maps.Copy(both.Addresses, own.Addresses)
	maps.Copy(both.Tunnels, own.Tunnels)
	maps.Copy(both.Stations, own.Stations)
	maps.Copy(both.Published, own.Published)
	maps.Copy(both.Neighbors, own.Neighbors)
	maps.Copy(both.Routes, own.Routes)
	maps.Copy(both.Redirects, own.Redirects)
	maps.Copy(both.Forwarded, own.Forwarded)
	maps.Copy(both.Unaided, own.Unaided)
	maps.Copy(both.Carried, own.Carried)
	maps.Copy(both.Answers, own.Answers)
	for ns := range own.Filters {
		both.Filters[ns] = nft.Domain(withStandIns(n))
	}
	return both
}

// withoutTunnel leaves out the tunnel devices, and what is on it or behind it: a host has
// one for each VNI, so two planes have it one after the other.
func (o Objects) withoutTunnel() Objects {
	tunnel := map[LinkID]struct{}{}
	for id, l := range o.Links {
		if l.Kind.isTunnel() {
			tunnel[id] = struct{}{}
		}
	}
	o = o.without(tunnel)
	o.Forwarded = map[LinkID]string{} // which needs all of a tunnel's links
	return o
}

// withoutPrograms leaves out that programs forward.
func (o Objects) withoutPrograms() Objects {
	o.Programs, o.Forwarded = map[overlay.NetworkName]string{}, map[LinkID]string{}
	return o
}

// withoutRoutes leaves out the routes in a namespace.
func (o Objects) withoutRoutes(ns NS) Objects {
	o.Routes = keep(o.Routes, func(k RouteKey, _ Route) bool { return k.NS != ns })
	return o
}
