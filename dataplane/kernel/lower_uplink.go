package kernel

import "weft/dataplane/nft"

// A vxlan link that is bound to a device has no larger MTU than fits that
// (drivers/net/vxlan/vxlan_core.c, vxlan_change_mtu), and a bridge drops what is larger than a
// port's (net/bridge/br_forward.c, br_dev_queue_push_xmit), without a word, before the link
// could answer it. So the bridge's port is a veth, with whose MTU it is content, and all that
// comes out of that goes into the vxlan link, and the other way round:
//
//	br0 ── up0 ══ up1 ◄─redirected─► vx0
//
// The link answers what is too large if it is the port of a bridge (skb_tunnel_check_pmtu): it is
// one of the same, to which nothing goes and from which nothing comes.

// boundEnd is the other end of the veth.
const boundEnd = "up1"

// boundUplink adds the veth, and returns the flags of the vxlan link's own port.
func (l lowering) boundUplink() BridgePort {
	near, far := l.link(nft.BoundUplink), l.link(boundEnd)
	end := Link{Kind: KindVeth, Alias: aliasOf(l.n.Name, ""), MTU: l.n.UnderlayMTU, Up: true, NoLinkLocal: true}
	port, inner := end, end
	port.Peer, port.Master, port.Port = far, bridgeName, l.uplinkFlags()
	inner.Peer, inner.NoIPv6 = near, true
	l.Links[near], l.Links[far] = port, inner
	l.Redirects[far], l.Redirects[l.link(tunnelName)] = tunnelName, boundEnd
	return BridgePort{Owned: true, Isolated: true}
}
