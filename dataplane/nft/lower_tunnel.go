package nft

import (
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// ofTunnel is the chain of a tunnel in a network; its device and the network follow.
const ofTunnel = "tunnel/"

// isChecked reports whether packets of a tunnel in a network have to be looked at for where they
// come from. The kernel's VXLAN device takes them from everybody, as long as the VNI is right
// (drivers/net/vxlan/vxlan_core.c, vxlan_rcv); all others, and programs, from the peer alone. A group
// has many peers, and so may an FDB.
func isChecked(t dataplane.Tunnel) bool {
	s := t.Spec
	return s.Plane == overlay.PlaneKernel && s.Mode == overlay.TunnelVXLAN && t.Remote.IsValid() && !s.Group() && len(s.FDB) == 0
}

// peer is the name of the chain that does so.
func peer(t Table, n dataplane.Network, tunnel dataplane.Tunnel) (chain string) {
	v, counter := familyOf(tunnel.Local), strangers+string(n.Name)
	chain = ofTunnel + identifier(tunnel.Spec.Device) + "/" + string(n.Name)
	t.Counters[counter] = struct{}{}
	t.Chains[chain] = Chain{Rules: []Rule{
		{is(NetworkProtocol, v.family), is(v.source, addressBytes(tunnel.Remote)), accept},
		{Count{counter}, drop},
	}}
	return chain
}

// behindOf are the addresses that are behind a tunnel. The digit of the version and the
// device's name follow.
const behindOf = "behind"

// linkLocal: what has such an address does not go further than its link (RFC 4291 section
// 2.5.6).
var linkLocal = netip.MustParsePrefix("fe80::/10")

// tunnelPort is what may come from a tunnel of a routed network: packets from where its routes
// lead, and from the address that is asked whether the peer is there. Strangers have no
// addresses of the network's, unless a route says so.
func tunnelPort(t Table, n dataplane.Network, p dataplane.Port) []Rule {
	t.Counters[string(overlay.DropSpoofedIP)] = struct{}{}
	var rules []Rule
	for _, v := range versions {
		set := newSet(v.source).ofPrefixes()
		for prefix, source := range behindTunnel(n, *p.Tunnel, v) {
			if source.IsValid() {
				set.addPrefix(prefix)
			}
		}
		name := behindOf + v.digit + "/" + identifier(p.Device)
		t.Sets[name] = set
		rules = append(rules, Rule{is(Protocol, v.protocol), in(name, v.source), accept})
	}
	return append(rules, Rule{Count{string(overlay.DropSpoofedIP)}, drop})
}

// behindTunnel says of prefixes that do not overlap whether they are behind a tunnel: they have a
// valid value then. Of prefixes that do, the longest counts, and of equal ones the tunnel's.
func behindTunnel(n dataplane.Network, t dataplane.Tunnel, v version) map[netip.Prefix]netip.Addr {
	all := map[netip.Prefix]netip.Addr{}
	for _, p := range subnets(n) {
		if v.has(p.Addr()) {
			all[p] = netip.Addr{}
		}
	}
	add := func(p netip.Prefix) {
		if v.has(p.Addr()) {
			all[p.Masked()] = p.Addr()
		}
	}
	for _, r := range t.Spec.Routes {
		add(r.Prefix)
	}
	if k := t.Spec.KeepAlive; k != nil {
		add(netip.PrefixFrom(k.Target, k.Target.BitLen()))
	}
	add(linkLocal)
	return longest(all)
}
