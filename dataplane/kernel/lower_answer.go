package kernel

import (
	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
)

// A gretap link that is a bridge's port drops what is too large for it, without a word: its
// ICMP error would go the way of the packet's route (net/ipv4/icmp.c, __icmp_send), and a packet
// that is bridged has none. A vxlan link answers in the name of the destination
// (net/ipv4/ip_tunnel_core.c, skb_tunnel_check_pmtu), whatever its own packets would be. So
// what is too large for a gretap link goes to a vxlan link that leads nowhere.

// Answer is by which link packets are answered that are larger than so many bytes, link header
// included.
type Answer struct {
	By   string
	Size int
}

// answerLink is the name of that link: to the bridge's filters another uplink, and no node's, as
// these have no capitals.
const answerLink = "to-NOWHERE"

// answerVTEP is where it leads, a reserved address (RFC 1112 section 4). Its route has the MTU
// that the link answers with. What is not to be answered ends at the bridge, which sends nothing to
// itself (net/bridge/br_forward.c, br_forward); by the loopback it would come back
// (encap_bypass_if_local).
var answerVTEP = host(nowhere(dataplane.Tunnel{Name: answerLink, Local: directHost4}))

// answering adds the link and its way. Its underlay is the domain, which has none.
func (l lowering) answering() {
	own := l.n.Settings
	own.Encapsulation = overlay.EncapVXLAN
	room, err := encap.Overhead(own.Encapsulation, own.Kind, overlay.V4)
	if err != nil {
		return // vxlan has one
	}
	l.Links[l.link(answerLink)] = Link{
		Kind: KindVXLAN, Alias: aliasOf(l.n.Name, ""), MTU: tunnelMTU(l.n.Settings), Up: true, NoLinkLocal: true,
		Master: bridgeName, Port: BridgePort{Owned: true, Isolated: true}, Inside: true,
		Outer: Outer{VNI: l.n.VNI, Remote: answerVTEP.Addr(), Port: overlay.DefaultVXLANPort, Ageing: defaultAgeing},
	}
	l.Routes[RouteKey{NS: l.ns, Prefix: answerVTEP}] = Route{Device: bridgeName, MTU: l.n.MTU + room, Protocol: Protocol}
	l.Neighbors[NeighborKey{l.link(bridgeName), answerVTEP.Addr()}] = l.n.GatewayMAC
}
