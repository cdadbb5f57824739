package kernel

import (
	"weft/dataplane"
	"weft/overlay"
)

// tunnelPort adds a tunnel that is a part of the network. Its packets cross the underlay of
// the host all the same.
func (l lowering) tunnelPort(p dataplane.Port) {
	t, id := *p.Tunnel, nearEnd(l.n, l.ns, p)
	var link Link
	switch t.Spec.Plane {
	case overlay.PlaneKernel:
		link = tunnelLink(t)
		l.tunnelStations(id, t)
	case overlay.PlaneUser:
		link = l.userTunnel(id, t)
	case overlay.PlaneEBPF:
		link = l.programTunnel(id, aliasOf(l.n.Name, p.Name), t)
	default:
		return
	}
	link.Alias, link.Up, link.NoLinkLocal = aliasOf(l.n.Name, p.Name), t.Remote.IsValid(), true
	if l.n.Kind == overlay.Bridged {
		l.bridgedTunnel(p, id, link)
		return
	}
	l.Links[id] = link
	// An answer that says that the peer is back comes while no route leads there. Who may say what,
	// filters tell (ip-sysctl.rst, rp_filter; systemd has it on).
	l.sysctls("net/ipv4/conf/all/rp_filter", "0", "net/ipv4/conf/"+p.Device+"/rp_filter", "0")
	if t.Down || !t.Remote.IsValid() {
		return
	}
	for _, r := range t.Spec.Routes {
		l.Routes[RouteKey{NS: l.ns, Prefix: r.Prefix, Metric: metricIn(r)}] = Route{
			Device: p.Device, Via: r.Via, OnLink: r.Via.IsValid(), Protocol: Protocol,
		}
	}
}

// nearEnd is Weft's own end of a port: in the network's domain, but where programs take frames from
// it. Packets of tunnels these leave to the domain.
func nearEnd(n dataplane.Network, domain NS, p dataplane.Port) LinkID {
	if n.Plane != overlay.PlaneEBPF || p.Tunnel != nil && n.Kind == overlay.Routed {
		return LinkID{domain, p.Device}
	}
	return LinkID{Host, programDevice(p)}
}

// bridgedTunnel adds a tunnel that is a segment port. Like the bridge and the network's own
// tunnel device it has the underlay's MTU, so that the kernel answers what is too large, or
// the programs do; one that is bound to a device can have no more than fits that.
func (l lowering) bridgedTunnel(p dataplane.Port, id LinkID, link Link) {
	if link.Outer.Device == "" {
		link.MTU = l.n.UnderlayMTU
	}
	if l.n.Plane == overlay.PlaneEBPF {
		end := l.Links[link.Peer]
		end.MTU, link.NoIPv6 = link.MTU, true
		l.Links[link.Peer], l.Links[id] = end, link
		return
	}
	link.Master = bridgeName
	link.Port = segmentFlags(l.n)
	l.Links[id] = link
	l.publishedBehind(p)
}

// segmentFlags are those of a port behind which are stations.
func segmentFlags(n dataplane.Network) BridgePort {
	return BridgePort{Owned: true, Learning: true, Flood: n.Learning, Broadcast: true}
}
