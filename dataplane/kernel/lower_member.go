package kernel

import (
	"cmp"
	"net/netip"

	"weft/dataplane"
	"weft/dataplane/nft"
	"weft/overlay"
	"weft/packet"
)

// A vxlan link knows any number of peers, by its FDB. The kernel's links of the other
// encapsulations know one each: a network of these has a link for each member, and nobody but
// that member can send by it. On a bridge they are ports that are isolated from each other, as
// what comes from one node is never for another.

// memberTTL is that of outer packets. Of the kinds with one peer, only geneve takes the host's
// own where none is said, and the others the inner packet's.
const memberTTL = 64

// hasMemberLinks reports whether a network has a tunnel link for each member.
func hasMemberLinks(n dataplane.Network) bool { return nft.HasUplinks(n) }

// uplinkTo is the link in a network's domain that leads to a node; in a bridged one, the bridge's port.
func uplinkTo(n dataplane.Network, node overlay.NodeName) string {
	if hasMemberLinks(n) {
		return nft.UplinkTo(node)
	}
	if nft.IsBound(n) {
		return nft.BoundUplink
	}
	return tunnelName
}

// memberLink adds the link to a member.
func (l lowering) memberLink(node overlay.NodeName, m dataplane.Member) {
	mode := l.n.Encapsulation.Mode(l.n.Kind)
	kind, protocol := kindOf(mode, overlay.FamilyOf(l.n.Local))
	link := Link{
		Kind: kind, Alias: aliasOf(l.n.Name, ""), MTU: tunnelMTU(l.n.Settings), Up: true, NoLinkLocal: true,
		Outer: outerTo(l.n.Settings, mode, m.VTEP),
	}
	link.Outer.Protocol = protocol
	if l.n.Kind == overlay.Bridged {
		link.Master, link.Port = bridgeName, l.uplinkFlags()
		link.Port.Isolated = true
		if mode == overlay.TunnelGRETAP {
			l.Answers[l.link(nft.UplinkTo(node))] = Answer{answerLink, l.n.MTU + packet.EthernetLen}
			// So it is with vxlan and geneve, and a bridge has no word for who sends without DF.
			link.Outer.MayFragment = l.n.Local.Is4()
			link.Outer.IgnoreDF = l.n.Local.Is4()
		}
	} else if mode.Ethernet() {
		link.MAC = l.n.VTEPMAC
	}
	l.Links[l.link(nft.UplinkTo(node))] = link
}

// outerTo is how packets to a member look outside.
func outerTo(n dataplane.Settings, mode overlay.TunnelMode, vtep netip.Addr) Outer {
	if mode == overlay.TunnelGeneve { // it is bound to nothing
		o := outerOfNetwork(n)
		return Outer{
			VNI: o.VNI, Remote: vtep, Port: o.Port, TTL: cmp.Or(o.TTL, memberTTL),
			NoChecksum: o.NoChecksum, ZeroChecksum6: o.ZeroChecksum6, ZeroChecksum6Tx: o.ZeroChecksum6Tx,
		}
	}
	o := Outer{Local: n.Local, Remote: vtep, Device: n.UnderlayDevice, TTL: cmp.Or(uint8(n.TTL), memberTTL)}
	if mode.IsGRE() {
		o.InFlags, o.OutFlags = GREKeyed, GREKeyed
		o.InKey, o.OutKey = overlay.GREKey(n.VNI), overlay.GREKey(n.VNI)
	}
	return o
}

// memberRoute leads to a member's block by its link. One that carries frames needs a next hop,
// as a vxlan link does.
func (l lowering) memberRoute(prefix netip.Prefix, node overlay.NodeName, m dataplane.Member) {
	id := l.link(nft.UplinkTo(node))
	route := Route{Device: id.Name, MTU: l.n.MTU, Protocol: Protocol}
	if l.n.Encapsulation.Mode(l.n.Kind).Ethernet() {
		route.Via, route.OnLink = hopFor(prefix, m), true
		l.Neighbors[NeighborKey{id, route.Via}] = m.VTEPMAC
	}
	l.Routes[RouteKey{NS: l.ns, Prefix: prefix}] = route
}
