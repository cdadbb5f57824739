package kernel

import (
	"fmt"
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
)

// Direct routing: packets between nodes on one underlay segment go as they are.
// They pass the host's own stack, where the user wants to see them, so a
// routed network's domain has a veth to the host:
//
//	domain: BLOCK-OF-B via the host's end  ─┐
//	host:   BLOCK-OF-A via the domain's end ┘ and BLOCK-OF-B via node B
//
// Both ends have addresses that nothing else on a host has to know:
// link-local ones, the same for every network, as each has a link of its own.
var (
	directDomain4 = netip.MustParseAddr("169.254.119.1")
	directHost4   = netip.MustParseAddr("169.254.119.2")
)

// directName is the domain's end of the veth to the host.
const directName = "host0"

// directHostLink is the host's end of a network's veth.
func directHostLink(v overlay.VNI) LinkID { return LinkID{Host, fmt.Sprintf("wfhost%06x", uint32(v))} }

// directHostMAC is the MAC of the host's end; the domain's is the gateway's.
func directHostMAC(v overlay.VNI) overlay.MAC {
	m := v.GatewayMAC()
	m[2]++
	return m
}

// hasDirect reports whether the network sends anything unencapsulated.
func hasDirect(n dataplane.Network) bool {
	for _, r := range n.Routes {
		if r.Direct {
			return true
		}
	}
	return false
}

// directDomain adds the veth between domain and host.
func (l lowering) directDomain() {
	if !hasDirect(l.n) {
		return
	}
	end, far := l.link(directName), directHostLink(l.n.VNI)
	link := Link{Kind: KindVeth, Alias: aliasOf(l.n.Name, ""), MTU: l.n.UnderlayMTU, Up: true, NoLinkLocal: true}
	near, other := link, link
	near.MAC, near.Peer = l.n.GatewayMAC, far
	other.MAC, other.Peer = directHostMAC(l.n.VNI), end
	l.Links[end], l.Links[far] = near, other
	l.address(end, directDomain4, 32)
	l.address(end, l.n.GatewayMAC.LinkLocal(), 64)
	l.Routes[RouteKey{NS: l.ns, Prefix: host(directHost4)}] = Route{Device: directName, Protocol: Protocol}
}

// directRoute leads to another node's block through the host.
func (l lowering) directRoute(prefix netip.Prefix) {
	l.Routes[RouteKey{NS: l.ns, Prefix: prefix}] = Route{
		Device: directName, Via: directHop(prefix, directHost4, directHostMAC(l.n.VNI)), OnLink: true, Protocol: Protocol,
	}
}

// directHop is the far end of the veth in a prefix's family.
func directHop(p netip.Prefix, v4 netip.Addr, mac overlay.MAC) netip.Addr {
	if p.Addr().Is4() {
		return v4
	}
	return mac.LinkLocal()
}

// directFilter says how a network's unencapsulated packets pass the host.
func directFilter(n dataplane.Network, devices map[netip.Addr]string) nft.Direct {
	return nft.Direct{
		Link: directHostLink(n.VNI).Name, Hop4: directDomain4, Hop6: n.GatewayMAC.LinkLocal(), Devices: devices,
	}
}

// LowerHost turns a State into the objects in the host's own namespace that
// belong to no single network: the routes of unencapsulated packets, and that
// the host forwards at all.
func LowerHost(s dataplane.State) Objects {
	o := NewObjects()
	for _, n := range s.Networks {
		if hasDirect(n) {
			lowerHostRoutes(o, n)
		}
	}
	for _, t := range s.Tunnels {
		lowerTunnelHost(o, t)
	}
	return o
}

// forwards has the host be a router of a prefix's family.
func (o Objects) forwards(p netip.Prefix) {
	if p.Addr().Is4() {
		o.Sysctls[forwarding4] = "1"
	} else {
		o.Sysctls[forwarding6] = "1"
	}
}

func lowerHostRoutes(o Objects, n dataplane.Network) {
	link := directHostLink(n.VNI)
	o.Addresses[Address{link, netip.PrefixFrom(directHost4, 32)}] = struct{}{}
	o.Addresses[Address{link, netip.PrefixFrom(directHostMAC(n.VNI).LinkLocal(), 64)}] = struct{}{}
	for _, b := range n.Blocks {
		o.Routes[RouteKey{NS: Host, Prefix: b}] = Route{
			Device: link.Name, Via: directHop(b, directDomain4, n.GatewayMAC), OnLink: true, Protocol: Protocol,
		}
		o.forwards(b)
	}
	for prefix, r := range n.Routes {
		if r.Direct {
			// The device is whichever leads to the node.
			o.Routes[RouteKey{NS: Host, Prefix: prefix}] = Route{Via: r.Via, Protocol: Protocol}
			o.forwards(prefix)
		}
	}
}
