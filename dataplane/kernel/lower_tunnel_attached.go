package kernel

import (
	"weft/dataplane"
	"weft/overlay"
)

// tunnelPort adds a tunnel that is a part of the network. Its packets cross the underlay of
// the host all the same.
func (l lowering) tunnelPort(p dataplane.Port) {
	t, id := *p.Tunnel, l.link(p.Device)
	var link Link
	switch t.Spec.Plane {
	case overlay.PlaneKernel:
		link = tunnelLink(t)
		l.tunnelStations(id, t)
	case overlay.PlaneUser:
		link = l.userTunnel(id, t)
	default:
		return
	}
	link.Alias, link.Up, link.NoLinkLocal = aliasOf(l.n.Name, p.Name), t.Remote.IsValid(), true
	if l.n.Kind == overlay.Bridged {
		l.bridgedTunnel(p, link)
		return
	}
	l.Links[id] = link
	if t.Down || !t.Remote.IsValid() {
		return
	}
	for _, r := range t.Spec.Routes {
		l.Routes[RouteKey{NS: l.ns, Prefix: r.Prefix, Metric: metricIn(r)}] = Route{
			Device: p.Device, Via: r.Via, OnLink: r.Via.IsValid(), Protocol: Protocol,
		}
	}
}

// bridgedTunnel adds a tunnel that is a segment port. Like the bridge and the network's own
// tunnel device it has the underlay's MTU, so that the kernel answers what is too large; one
// that is bound to a device can have no more than fits that.
func (l lowering) bridgedTunnel(p dataplane.Port, link Link) {
	if link.Outer.Device == "" {
		link.MTU = l.n.UnderlayMTU
	}
	link.Master = bridgeName
	link.Port = segmentFlags(l.n)
	l.Links[l.link(p.Device)] = link
	l.publishedBehind(p)
}

// segmentFlags are those of a port behind which are stations.
func segmentFlags(n dataplane.Network) BridgePort {
	return BridgePort{Owned: true, Learning: true, Flood: n.Learning, Broadcast: true}
}
