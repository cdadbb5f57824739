package kernel

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"

	"weft/dataplane"
	"weft/overlay"
)

// port adds both ends of a port.
func (l lowering) port(p dataplane.Port) {
	if p.Tunnel != nil {
		l.tunnelPort(p)
		return
	}
	far, farEnd := l.farEnd(p)
	end := Link{
		Kind: KindVeth, Alias: aliasOf(l.n.Name, p.Name), MTU: l.n.UnderlayMTU,
		Up: true, NoLinkLocal: true, Peer: far,
	}
	farEnd.Kind, farEnd.Peer = KindVeth, l.link(p.Device)
	l.Links[far] = farEnd
	if l.n.Kind == overlay.Routed {
		l.routedPort(p, end)
	} else {
		l.bridgedPort(p, end)
	}
	switch p.Attach.Type {
	case overlay.AttachNetns:
		l.workload(p, far)
	case overlay.AttachTap:
		l.tap(p, far)
	}
}

// farEnd is the end of a port's veth that is not in the domain.
func (l lowering) farEnd(p dataplane.Port) (LinkID, Link) {
	alias := aliasOf(l.n.Name, p.Name)
	switch p.Attach.Type {
	case overlay.AttachNetns:
		return LinkID{NS(p.Attach.Target), interfaceOf(p)},
			Link{Alias: alias, MAC: p.MAC, MTU: l.n.MTU, Up: true, NoLinkLocal: true}
	case overlay.AttachVeth:
		return LinkID{Host, p.Attach.Target}, Link{MAC: p.MAC, MTU: l.n.MTU, Lent: true}
	case overlay.AttachBridge:
		// A smaller MTU would become the bridge's, which is not ours to change
		// (net/bridge/br_if.c, br_mtu_auto_adjust), and swallow what a station sends
		// too large, where the tunnel answers.
		return LinkID{Host, p.Device}, Link{
			Alias: alias, MAC: l.highMAC(p), MTU: l.n.UnderlayMTU, Up: true, NoLinkLocal: true, NoIPv6: true,
			Master: p.Attach.Target,
		}
	}
	return LinkID{Host, p.Device}, Link{Alias: alias, MTU: l.n.UnderlayMTU, Up: true, NoLinkLocal: true, NoIPv6: true}
}

// highMAC is the MAC of a port of somebody else's bridge. A bridge without a MAC of its
// own has the lowest of its ports' (net/bridge/br_stp_if.c,
// br_stp_recalculate_bridge_id): that must not be Weft's, which comes and goes. libvirt's
// ports begin with fe for the same reason.
func (l lowering) highMAC(p dataplane.Port) overlay.MAC {
	h := fnv.New64a()
	h.Write([]byte(l.n.VNI.String() + p.Device)) // never fails (hash.Hash)
	m := overlay.MAC{0xfe}
	copy(m[1:], h.Sum(nil))
	return m
}

// interfaceOf is the interface's name inside the workload's namespace.
func interfaceOf(p dataplane.Port) string { return cmp.Or(p.Attach.Interface, "eth0") }

// tap adds the tap device of a virtual machine, and joins it with the port's
// veth by redirection: a bridge on the host would be cut by the host's
// firewalls (br_netfilter).
func (l lowering) tap(p dataplane.Port, veth LinkID) {
	tap := LinkID{Host, p.Attach.Target}
	l.Links[tap] = Link{
		Kind: KindTap, Alias: aliasOf(l.n.Name, p.Name), MTU: l.n.MTU, Up: true, NoLinkLocal: true, NoIPv6: true,
	}
	l.Redirects[tap] = veth.Name
	l.Redirects[veth] = tap.Name
}

// bridgedPort adds the domain's end of a port to the bridge. Behind a single port
// nothing is learnt: its station has an entry.
func (l lowering) bridgedPort(p dataplane.Port, end Link) {
	segment := p.Kind == overlay.PortSegment
	end.Master = bridgeName
	end.Port = BridgePort{Owned: true, Broadcast: true}
	if segment {
		end.Port = segmentFlags(l.n)
	}
	l.Links[l.link(p.Device)] = end
	l.publishedBehind(p)
	if !segment {
		l.Stations[StationKey{l.link(bridgeName), p.MAC}] = Station{p.Device, true}
	}
}

// workload adds what is inside a workload's namespace.
func (l lowering) workload(p dataplane.Port, id LinkID) {
	if l.n.Kind == overlay.Routed {
		l.routedWorkload(p, id)
		return
	}
	for _, a := range p.Addresses {
		l.address(id, a, l.subnetBits(a))
	}
	for _, g := range l.gatewaysFor(p) {
		l.Routes[RouteKey{NS: id.NS, Prefix: anywhere(g), Metric: metricOf(id)}] = Route{
			Device: id.Name, Via: g, Protocol: Protocol,
		}
	}
}

// subnetBits is the prefix length of the subnet that an address is in.
func (l lowering) subnetBits(a netip.Addr) int {
	for _, g := range l.n.Gateways {
		if g.Contains(a) {
			return g.Bits()
		}
	}
	return hostBits(a)
}

// gatewaysFor are the gateways of the families that a port has an address of.
func (l lowering) gatewaysFor(p dataplane.Port) []netip.Addr {
	var gateways []netip.Addr
	for _, g := range l.n.Gateways {
		for _, a := range p.Addresses {
			if g.Contains(a) {
				gateways = append(gateways, g.Addr())
			}
		}
	}
	return gateways
}

// anywhere is the default route's prefix in g's family.
func anywhere(g netip.Addr) netip.Prefix {
	if g.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// metricOf is the metric of a workload's default route. A workload may have a default
// route of its own, and interfaces on several networks: Weft's stands behind
// all that others commonly set (0 in IPv4, 1024 in IPv6), and eth1's behind eth0's.
// Interfaces of other names come after those, each with a metric of its own: two
// routes of one metric exclude each other.
func metricOf(id LinkID) int {
	const first, others = 2048, 1 << 16
	digits, ok := strings.CutPrefix(id.Name, "eth")
	if n, err := strconv.ParseUint(digits, 10, 15); ok && err == nil && strconv.FormatUint(n, 10) == digits {
		return first + int(n)
	}
	h := fnv.New32a()
	h.Write([]byte(id.Name)) // never fails (hash.Hash)
	return others + int(h.Sum32()>>2)
}
