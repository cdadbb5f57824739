package kernel

import (
	"fmt"
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// On the eBPF plane programs forward between the ports, the underlay and the network's
// domain, and redirect only within one namespace. So ports end on the host, and the
// domain, which has the gateway's addresses and says what a router has to say, is
// reached through a veth:
//
//	domain: gw0 ── host: wfgwVNI, ports, the tunnel device wfvxVNI
//
// To the domain the network is one link, on which programs answer ARP and ND.

// linkLocal are the link-local addresses (RFC 4291 section 2.5.6).
var linkLocal = netip.MustParsePrefix("fe80::/64")

// gatewayName is the domain's end of the veth.
const gatewayName = "gw0"

// gatewayLink is the host's end of a network's veth to its domain.
func gatewayLink(v overlay.VNI) LinkID { return LinkID{Host, fmt.Sprintf("wfgw%06x", uint32(v))} }

// hasTunnelDevice reports whether the kernel unwraps a network's packets. Programs dress
// Geneve's as VXLAN for it, and unwrap those of other encapsulations themselves.
func hasTunnelDevice(n dataplane.Network) bool {
	return n.Encapsulation == overlay.EncapVXLAN || n.Encapsulation == overlay.EncapGeneve
}

// hostTunnel is a network's tunnel device on the host. It sends nothing: it takes tunnel
// packets from the kernel and unwraps them.
func hostTunnel(v overlay.VNI) LinkID { return LinkID{Host, fmt.Sprintf("wfvx%06x", uint32(v))} }

// programDevice is the name of the port's device that a program runs on.
func programDevice(p dataplane.Port) string {
	if p.Attach.Type == overlay.AttachTap {
		return p.Attach.Target
	}
	return p.Device
}

// programmed adds the links that a network's programs forward between, and its domain.
func (l lowering) programmed() {
	l.Namespaces[l.ns] = struct{}{}
	l.Links[l.link(loopbackName)] = Link{Kind: KindLoopback, Alias: aliasOf(l.n.Name, ""), Up: true}
	l.Programs[l.n.Name] = ""
	l.Filters[l.ns] = nft.Domain(l.n)
	l.programDomain()
	for _, p := range l.n.Ports {
		l.programPort(p)
	}
	if l.n.Kind == overlay.Routed {
		for prefix, r := range l.n.Routes {
			l.programRoute(prefix, r)
		}
	}
}

func (l lowering) programDomain() {
	// A bridged network's, too: what is too large for the tunnel is routed into the same
	// network again, to be told so.
	l.forwardPackets()
	end, far := l.link(gatewayName), gatewayLink(l.n.VNI)
	link := Link{Kind: KindVeth, Alias: aliasOf(l.n.Name, ""), MTU: l.n.UnderlayMTU, Up: true, NoLinkLocal: true}
	near, other := link, link
	near.MAC, near.Peer = l.n.GatewayMAC, far
	other.Peer, other.NoIPv6 = end, true
	l.Links[end], l.Links[far] = near, other
	l.forwards(far)
	if l.n.Kind != overlay.Routed {
		// It is no router to its neighbours (RFC 4861 section 4.4, R).
		l.sysctls("net/ipv6/conf/"+gatewayName+"/forwarding", "0")
	}
	for _, g := range l.n.Gateways {
		l.address(end, g.Addr(), g.Addr().BitLen())
		if l.n.Kind == overlay.Routed {
			l.Routes[RouteKey{NS: l.ns, Prefix: g.Masked()}] = Route{Unreachable: true, Protocol: Protocol}
		}
	}
	if l.n.Kind == overlay.Routed {
		l.address(end, l.n.GatewayMAC.LinkLocal(), 64)
	} else {
		l.address(end, l.n.GatewayMAC.LinkLocal(), 128)
		l.onLink()
	}
	if hasTunnelDevice(l.n) {
		tunnel := l.tunnel()
		tunnel.NoIPv6, tunnel.NoGRO = true, true
		l.Links[hostTunnel(l.n.VNI)] = tunnel
	}
	l.directDomain()
}

// onLink adds the routes of a bridged network's domain, which tells senders how large a packet may
// be: for other nodes, or for those of its tunnels that take the least.
func (l lowering) onLink() {
	mtu := l.n.MTU
	for _, p := range l.n.Ports {
		if p.Tunnel != nil {
			mtu = min(mtu, p.Tunnel.MTU)
		}
	}
	route := Route{Device: gatewayName, MTU: mtu, Protocol: Protocol}
	for _, g := range l.n.Gateways {
		l.Routes[RouteKey{NS: l.ns, Prefix: g.Masked()}] = route
	}
	l.Routes[RouteKey{NS: l.ns, Prefix: linkLocal}] = route // the kernel's own would say nothing of it
}

// forwards has the host forward for a link of Weft's: programs ask its routes for the way
// of tunnel packets, and only for a link that forwards they get an answer
// (net/core/filter.c, bpf_ipv4_fib_lookup and bpf_ipv6_fib_lookup, which do not ask
// whether the link has IPv6 at all).
func (l lowering) forwards(id LinkID) {
	family := "ipv4"
	if l.n.Local.Is6() {
		family = "ipv6"
	}
	l.Sysctls[SysctlID{id.NS, "net/" + family + "/conf/" + id.Name + "/forwarding"}] = "1"
}

// programPort adds a port, whose end with the program is on the host.
func (l lowering) programPort(p dataplane.Port) {
	if p.Tunnel != nil {
		l.tunnelPort(p)
		return
	}
	l.programRoutes(p)
	near := LinkID{Host, programDevice(p)}
	end := Link{
		Kind: KindVeth, Alias: aliasOf(l.n.Name, p.Name), MTU: l.n.UnderlayMTU, Up: true, NoLinkLocal: true, NoIPv6: true,
	}
	if p.Attach.Type == overlay.AttachTap {
		end.Kind, end.MTU = KindTap, l.n.MTU
		l.Links[near] = end
		return
	}
	far, farEnd := l.farEnd(p)
	if far == near { // both ends are on the host
		far.Name = farName(p)
	}
	end.Peer, farEnd.Kind, farEnd.Peer = far, KindVeth, near
	l.Links[near], l.Links[far] = end, farEnd
	if p.Attach.Type == overlay.AttachNetns {
		l.workload(p, far)
	}
}

// programRoutes lead to a port's addresses. In a bridged network they are on the link.
func (l lowering) programRoutes(p dataplane.Port) {
	if l.n.Kind != overlay.Routed {
		return
	}
	for _, a := range p.Addresses {
		if !a.IsLinkLocalUnicast() {
			l.Routes[RouteKey{NS: l.ns, Prefix: host(a)}] = Route{Device: gatewayName, MTU: l.n.MTU, Protocol: Protocol}
		}
	}
}

// farName is the end that joins a bridge on the host.
func farName(p dataplane.Port) string { return "wb" + p.Device[2:] }

// programsChanged is changed for a network that programs forward for.
func (l lowering) programsChanged(d dataplane.NetworkDelta, nodes map[overlay.NodeName]struct{}) {
	l.Programs[l.n.Name] = ""
	if !d.Ports.Empty() {
		l.Filters[l.ns] = nft.Domain(l.n)
		if l.n.Kind == overlay.Bridged {
			l.onLink()
		}
	}
	d.Ports.Among(l.n.Ports, func(_ overlay.EndpointName, p dataplane.Port) { l.programPort(p) })
	if l.n.Kind == overlay.Routed {
		dataplane.OfNodes(nodes, l.n.Routes, func(r dataplane.Route) overlay.NodeName { return r.Node }, l.programRoute)
	}
}

// programRoute leads to another node's block, over a next hop that stands for its VTEP.
func (l lowering) programRoute(prefix netip.Prefix, r dataplane.Route) {
	if r.Direct {
		l.directRoute(prefix)
		return
	}
	m, ok := l.n.Members[r.Node]
	if !ok {
		return
	}
	end, hop := l.link(gatewayName), hopFor(prefix, m)
	l.Neighbors[NeighborKey{end, hop}] = m.VTEPMAC
	l.Routes[RouteKey{NS: l.ns, Prefix: prefix}] = Route{
		Device: gatewayName, Via: hop, OnLink: true, MTU: l.n.MTU, Protocol: Protocol,
	}
}
