package kernel

import (
	"net/netip"

	"weft/dataplane/nft"
	"weft/overlay"
)

// bridgedDomain adds a bridge, which has the gateway's addresses and is thus a
// station of the network itself, and the vxlan link as a port of it.
func (l lowering) bridgedDomain() {
	l.sysctls(
		"net/ipv4/ip_forward", "0",
		"net/ipv6/conf/all/forwarding", "0",
		// Gateway addresses are the registry's to give: router advertisements
		// of a workload must not add any.
		"net/ipv6/conf/all/accept_ra", "0",
		"net/ipv6/conf/default/accept_ra", "0",
	)
	bridge := l.link(bridgeName)
	l.Links[bridge] = Link{
		Kind: KindBridge, Alias: aliasOf(l.n.Name, ""), MAC: l.n.GatewayMAC,
		MTU: tunnelMTU(l.n.Settings), Up: true, NoLinkLocal: true,
		// The tunnel link's, too: else a station would be known to one FDB, and no more to the other.
		Bridge: BridgeMode{Ageing: ageingOf(l.n.Settings)},
	}
	for _, g := range l.n.Gateways {
		l.address(bridge, g.Addr(), g.Bits())
	}
	l.address(bridge, l.n.GatewayMAC.LinkLocal(), 64)

	if hasMemberLinks(l.n) {
		if l.n.Encapsulation == overlay.EncapGRE {
			l.answering()
		}
		return
	}
	vx := l.tunnel()
	vx.Master, vx.Port = bridgeName, l.uplinkFlags()
	if nft.IsBound(l.n) {
		vx.Port = l.boundUplink()
	}
	l.Links[l.link(tunnelName)] = vx
}

// uplinkFlags are those of a port that leads to other nodes.
func (l lowering) uplinkFlags() BridgePort {
	return BridgePort{
		Owned: true, Suppress: !l.n.Learning, Learning: l.n.Learning, Flood: l.n.Learning,
		Broadcast: l.n.BUM != overlay.BUMNone,
	}
}

// member adds the way to a member: a link of its own, or a VTEP that broadcast and multicast
// go to. To a group's they go anyway.
func (l lowering) member(node overlay.NodeName) {
	m, ok := l.n.Members[node]
	switch {
	case !ok:
	case hasMemberLinks(l.n):
		l.memberLink(node, m)
	case l.n.Kind == overlay.Bridged && l.n.BUM != overlay.BUMNone && !l.n.Group.IsValid():
		l.Tunnels[TunnelKey{Link: l.link(tunnelName), Member: m.VTEP}] = m.VTEP
	}
}

// remote adds the entries for a station on another node: the bridge sends it to
// the node's link, or to the vxlan link, and that to the node's VTEP.
func (l lowering) remote(mac overlay.MAC, node overlay.NodeName) {
	m, ok := l.n.Members[node]
	if !ok {
		return // a node without a VTEP in this network reaches nobody
	}
	if !hasMemberLinks(l.n) {
		l.Tunnels[TunnelKey{Link: l.link(tunnelName), MAC: mac}] = m.VTEP
	}
	l.Stations[StationKey{l.link(bridgeName), mac}] = Station{uplinkTo(l.n, node), true}
}

// neighbor adds what the bridge answers ARP and ND with, and the gateway sends to.
func (l lowering) neighbor(ip netip.Addr, mac overlay.MAC) {
	l.Neighbors[NeighborKey{l.link(bridgeName), ip}] = mac
}
