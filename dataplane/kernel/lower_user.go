package kernel

import (
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// On the user plane a network's domain has a TUN link where the kernel plane's has a tunnel
// device: the domain routes to it, decrements the TTL, and says what is too large. Which node
// a packet then goes to, the forwarder finds out by itself: a TUN link has no next hops.

// userTunnelName is the TUN link in a domain.
const userTunnelName = "tun0"

// userDomain adds the TUN link and what is carried by it.
func (l lowering) userDomain() {
	l.Links[l.link(userTunnelName)] = Link{Kind: KindTun, Alias: aliasOf(l.n.Name, ""), MTU: l.n.MTU, Up: true, NoLinkLocal: true}
	l.carried()
}

// carried is what the forwarder does with a network's TUN link.
func (l lowering) carried() {
	c := Carried{Encapsulation: l.n.Encapsulation, Local: netip.AddrPortFrom(l.n.Local, l.n.Settings.Port)}
	for _, m := range l.n.Members {
		c.Peers = append(c.Peers, m.VTEP)
	}
	for prefix, r := range l.n.Routes {
		if m, ok := l.n.Members[r.Node]; ok && !r.Direct {
			c.Routes = append(c.Routes, CarriedRoute{prefix, m.VTEP})
		}
	}
	slices.SortFunc(c.Peers, netip.Addr.Compare)
	slices.SortFunc(c.Routes, func(a, b CarriedRoute) int { return a.Prefix.Compare(b.Prefix) })
	l.Carried[l.link(userTunnelName)] = c
}

// userRoute leads to another node's block.
func (l lowering) userRoute(prefix netip.Prefix) {
	l.Routes[RouteKey{NS: l.ns, Prefix: prefix}] = Route{Device: userTunnelName, MTU: l.n.MTU, Protocol: Protocol}
}

// userTunnel adds what the forwarder does for a tunnel to a stranger, to whom everything goes that
// is routed to its link. The link is the caller's to add.
func (o Objects) userTunnel(id LinkID, t dataplane.Tunnel) Link {
	if t.Remote.IsValid() {
		o.Carried[id] = Carried{
			Encapsulation: overlay.EncapUDP, Local: netip.AddrPortFrom(t.Local, t.Spec.Port), Peers: []netip.Addr{t.Remote},
			Routes: []CarriedRoute{{anywhere(netip.IPv4Unspecified()), t.Remote}, {anywhere(netip.IPv6Unspecified()), t.Remote}},
			TTL:    t.Spec.TTL, TOS: t.Spec.TOS, InheritTOS: !t.Spec.TOS.Fixed, Fragment: t.Spec.NoPMTUDiscovery && t.Local.Is4(),
			// Strangers' sockets refuse what has none (RFC 6935 section 5), so it is computed over IPv6, too.
			NoChecksum: t.Spec.UDPChecksum != nil && !*t.Spec.UDPChecksum,
		}
	}
	return Link{Kind: KindTun, MTU: t.MTU, Up: t.Remote.IsValid()}
}

// onUser reports whether the user plane forwards for the network.
func (l lowering) onUser() bool { return l.n.Plane == overlay.PlaneUser }
