package kernel

import (
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// routedDomain adds the vxlan link, which routes lead to, and the answer to
// addresses that nobody has.
func (l lowering) routedDomain() {
	l.forwardPackets()
	switch {
	case l.onUser():
		l.userDomain()
	case l.n.Encapsulation != overlay.EncapNone && !hasMemberLinks(l.n):
		vx := l.tunnel()
		vx.MAC = l.n.VTEPMAC
		l.Links[l.link(tunnelName)] = vx
	}
	l.directDomain()
	for _, g := range l.n.Gateways {
		l.Routes[RouteKey{NS: l.ns, Prefix: g.Masked()}] = Route{Unreachable: true, Protocol: Protocol}
	}
}

// forwardPackets has the domain be a router.
func (l lowering) forwardPackets() {
	l.sysctls(
		"net/ipv4/ip_forward", "1",
		"net/ipv6/conf/all/forwarding", "1",
		"net/ipv6/conf/all/accept_ra", "0",
		"net/ipv6/conf/default/accept_ra", "0",
		// Errors of another node's domain come from the gateway's address, which is
		// this domain's too: without this they are martians (ip-sysctl.rst).
		"net/ipv4/conf/all/accept_local", "1",
		// Two endpoints of a node are never neighbours: no redirect is true.
		"net/ipv4/conf/all/send_redirects", "0",
		"net/ipv4/conf/default/send_redirects", "0",
	)
}

// route leads to another node's block, as flannel does (RFC 7348 has no word
// for it): the next hop is an address that nobody has, and stands for the node's VTEP.
func (l lowering) route(prefix netip.Prefix, r dataplane.Route) {
	if r.Direct {
		l.directRoute(prefix)
		return
	}
	m, ok := l.n.Members[r.Node]
	if !ok {
		return
	}
	if l.onUser() {
		l.userRoute(prefix)
		return
	}
	if hasMemberLinks(l.n) {
		l.memberRoute(prefix, r.Node, m)
		return
	}
	vx, hop := l.link(tunnelName), hopFor(prefix, m)
	l.Tunnels[TunnelKey{Link: vx, MAC: m.VTEPMAC}] = m.VTEP
	l.Neighbors[NeighborKey{vx, hop}] = m.VTEPMAC
	l.Routes[RouteKey{NS: l.ns, Prefix: prefix}] = Route{
		Device: tunnelName, Via: hop, OnLink: true, MTU: l.n.MTU, Protocol: Protocol,
	}
}

// hopFor is the next hop to a node's block: the block's first address; in IPv6 the
// VTEP's link-local one, as the kernel refuses to move a route to another link
// while its next hop is inside it (net/ipv6/route.c, ip6_route_check_nh_onlink).
func hopFor(block netip.Prefix, m dataplane.Member) netip.Addr {
	if block.Addr().Is4() {
		return block.Masked().Addr()
	}
	return m.VTEPMAC.LinkLocal()
}

// routedPort adds the domain's end of a port: a link of its own, with the
// gateway's addresses, and a route and a neighbour for each of the endpoint's.
func (l lowering) routedPort(p dataplane.Port, end Link) {
	id := l.link(p.Device)
	end.MAC = l.n.GatewayMAC
	l.Links[id] = end
	for _, g := range l.n.Gateways {
		l.address(id, g.Addr(), g.Addr().BitLen())
	}
	l.address(id, l.n.GatewayMAC.LinkLocal(), 64)
	for _, a := range p.Addresses {
		l.Neighbors[NeighborKey{id, a}] = p.MAC
		if !a.IsLinkLocalUnicast() {
			l.Routes[RouteKey{NS: l.ns, Prefix: host(a)}] = Route{Device: p.Device, MTU: l.n.MTU, Protocol: Protocol}
		}
	}
}

// routedWorkload adds the addresses and routes of an endpoint in its namespace:
// everything goes to the gateway, even to others in the subnet.
func (l lowering) routedWorkload(p dataplane.Port, id LinkID) {
	for _, a := range p.Addresses {
		l.address(id, a, hostBits(a))
	}
	for _, g := range l.gatewaysFor(p) {
		l.Routes[RouteKey{NS: id.NS, Prefix: host(g), Metric: metricOf(id)}] = Route{Device: id.Name, Protocol: Protocol}
		l.Routes[RouteKey{NS: id.NS, Prefix: anywhere(g), Metric: metricOf(id)}] = Route{
			Device: id.Name, Via: g, OnLink: true, Protocol: Protocol,
		}
	}
}

// hostBits is the length of an address that stands alone; link-local ones keep their link.
func hostBits(a netip.Addr) int {
	if a.IsLinkLocalUnicast() {
		return 64
	}
	return a.BitLen()
}
