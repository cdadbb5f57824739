package stock

import (
	"fmt"
	"strings"

	"weft/overlay"
)

// device is a tunnel device of the kernel's, and the networks that it joins.
type device struct {
	kind     overlay.NetworkKind
	e        overlay.Encapsulation
	underlay overlay.Family
	plane    overlay.PlaneName // of Weft's side
	// link is the end of "ip link add $dev".
	link string
	// limited: its packets have a tunnel encapsulation limit, and 8 bytes less of what is
	// inside (RFC 2473 section 4.1.1).
	limited bool
}

// devices are what people join networks of Weft's with.
var devices = []device{
	{overlay.Bridged, overlay.EncapVXLAN, v4, overlay.PlaneEBPF, vxlan, false},
	{overlay.Bridged, overlay.EncapVXLAN, v4, overlay.PlaneEBPF, vxlan + " udpcsum", false},
	{overlay.Bridged, overlay.EncapVXLAN, v6, overlay.PlaneEBPF, vxlan + zeroChecksum, false},
	{overlay.Routed, overlay.EncapVXLAN, v4, overlay.PlaneEBPF, vxlan, false},
	{overlay.Routed, overlay.EncapVXLAN, v6, overlay.PlaneEBPF, vxlan + zeroChecksum, false},

	{overlay.Bridged, overlay.EncapVXLAN, v4, overlay.PlaneKernel, vxlan, false},
	{overlay.Bridged, overlay.EncapVXLAN, v6, overlay.PlaneKernel, vxlan + zeroChecksum, false},
	{overlay.Routed, overlay.EncapVXLAN, v4, overlay.PlaneKernel, vxlan, false},
	{overlay.Routed, overlay.EncapVXLAN, v6, overlay.PlaneKernel, vxlan + zeroChecksum, false},

	{overlay.Bridged, overlay.EncapGeneve, v4, overlay.PlaneEBPF, geneve, false},
	{overlay.Bridged, overlay.EncapGeneve, v6, overlay.PlaneEBPF, geneve + zeroChecksum, false},
	{overlay.Routed, overlay.EncapGeneve, v4, overlay.PlaneEBPF, geneve, false},
	{overlay.Routed, overlay.EncapGeneve, v6, overlay.PlaneEBPF, geneve + zeroChecksum, false},

	{overlay.Bridged, overlay.EncapGRE, v4, overlay.PlaneEBPF, "type gretap" + ends + key, false},
	{overlay.Bridged, overlay.EncapGRE, v6, overlay.PlaneEBPF, "type ip6gretap" + ends + key, true},
	{overlay.Bridged, overlay.EncapGRE, v6, overlay.PlaneEBPF, "type ip6gretap" + ends + key + " encaplimit none", false},
	{overlay.Routed, overlay.EncapGRE, v4, overlay.PlaneEBPF, "type gre" + ends + key, false},
	{overlay.Routed, overlay.EncapGRE, v6, overlay.PlaneEBPF, "type ip6gre" + ends + key, true},
	{overlay.Routed, overlay.EncapGRE, v6, overlay.PlaneEBPF, "type ip6gre" + ends + key + " encaplimit none", false},

	{overlay.Routed, overlay.EncapIPIP, v4, overlay.PlaneEBPF, "type ipip" + ends, false},
	{overlay.Routed, overlay.EncapIPIP, v6, overlay.PlaneEBPF, "type ip6tnl mode ipip6" + ends, true},
	{overlay.Routed, overlay.EncapSIT, v4, overlay.PlaneEBPF, "type sit" + ends, false},
	{overlay.Routed, overlay.EncapSIT, v6, overlay.PlaneEBPF, "type ip6tnl mode ip6ip6" + ends + " encaplimit none", false},
}

const (
	ends   = " local $local remote $weft"
	key    = " key $vni"
	vxlan  = "type vxlan id $vni dstport 4789" + ends
	geneve = "type geneve id $vni remote $weft"
	// zeroChecksum takes packets without an outer checksum (RFC 6935): no other can be in
	// those that Weft has large segments in.
	zeroChecksum = " udp6zerocsumrx"
)

func (d device) String() string {
	return fmt.Sprintf("%s %s over %s with %s", d.plane, d.kind, d.underlay, d.words())
}

// words are those of the link that tell it from the others.
func (d device) words() string {
	return strings.NewReplacer("type ", "", " id $vni", "", " $vni", "", " dstport 4789", "", " local $local", "", " remote $weft", "").Replace(d.link)
}

// inside are the families that its packets have inside.
func (d device) inside() (all []overlay.Family) {
	for _, f := range []overlay.Family{v4, v6} {
		if d.e.CarriesFamily(f) {
			all = append(all, f)
		}
	}
	return all
}

// join makes the device and gives it the addresses of the peer's endpoint. The kernel's own
// MTU stays where it is smaller.
const join = `
ip link add $dev $address $link
[ -n "$limited" ] || ip link set $dev mtu $mtu
[ -z "$ip4" ] || ip address add $ip4 dev $dev
[ -z "$ip6" ] || ip address add $ip6 dev $dev nodad
ip link set $dev up
`

// Between routers the way to the other's block has to be said: by the device alone, or by a
// neighbour, as flannel does it, where there are MACs.
const (
	routeDevice = `
[ -z "$ip4" ] || ip route add $block4 dev $dev src ${ip4%/*}
[ -z "$ip6" ] || ip -6 route add $block6 dev $dev
`
	routeNeighbor = `
ip neigh add ${block4%/*} lladdr $weftmac dev $dev nud permanent
ip neigh add ${block6%/*} lladdr $weftmac dev $dev nud permanent
ip route add $block4 via ${block4%/*} dev $dev onlink src ${ip4%/*}
ip -6 route add $block6 via ${block6%/*} dev $dev onlink
`
)

// briefly leaves out what a slow machine need not be asked: a bridged network over IPv4 is
// left of each plane and encapsulation, and a routed one over IPv6.
func briefly(all []device) (few []device) {
	type sort struct {
		plane overlay.PlaneName
		e     overlay.Encapsulation
		kind  overlay.NetworkKind
	}
	underlay := map[overlay.NetworkKind]overlay.Family{overlay.Bridged: v4, overlay.Routed: v6}
	seen := map[sort]bool{}
	for _, d := range all {
		if s := (sort{d.plane, d.e, d.kind}); d.underlay == underlay[d.kind] && !seen[s] {
			seen[s] = true
			few = append(few, d)
		}
	}
	return few
}
