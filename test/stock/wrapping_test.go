package stock

import (
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// wrapping is a tunnel device of the kernel's, by itself, and what Weft says of its packets.
type wrapping struct {
	name string
	spec overlay.TunnelSpec
	over overlay.Family
	// before is done before, and link is the end of "ip link add t0".
	before, link string
	// inside are the families of packets that it is sent; of frames, IPv4 alone.
	inside []overlay.Family
	// limited: its packets have a tunnel encapsulation limit.
	limited bool
	// network is the kind of networks whose packets are the same; there may be none.
	network overlay.NetworkKind
}

const (
	to4 = " local 192.0.2.2 remote 192.0.2.1"
	to6 = " local 2001:db8::2 remote 2001:db8::1"
	// keys of the two directions, as one of the articles has them.
	keys     = " ikey 0.17.17.17 okey 0.34.34.34"
	unbound  = " encaplimit none"
	fou      = " encap fou encap-sport auto encap-dport 8285 noencap-csum noencap-udp6-csum"
	wrapVNI  = " id 123456"
	unsummed = " noudpcsum udp6zerocsumtx udp6zerocsumrx"
)

var (
	both     = []overlay.Family{v4, v6}
	one, two = overlay.GREKey(0x111111), overlay.GREKey(0x222222)
	keyed    = overlay.TunnelSpec{Mode: overlay.TunnelGRE, InKey: &one, OutKey: &two}
	summed   = overlay.TunnelSpec{Mode: overlay.TunnelGRE, InChecksum: true, OutChecksum: true}
	numbered = overlay.TunnelSpec{Mode: overlay.TunnelGRE, InSequence: true, OutSequence: true}
	all      = overlay.TunnelSpec{
		Mode: overlay.TunnelGRE, InKey: &one, OutKey: &two, InChecksum: true, OutChecksum: true, InSequence: true, OutSequence: true,
	}
)

// as is a spec with another mode.
func as(m overlay.TunnelMode, s overlay.TunnelSpec) overlay.TunnelSpec {
	s.Mode = m
	return s
}

func mode(m overlay.TunnelMode) overlay.TunnelSpec {
	s := overlay.TunnelSpec{Mode: m, Port: m.DefaultPort()}
	if m.HasVNI() {
		s.VNI = 123456
	}
	return s
}

// wrappings are the devices of each mode, over each family, with each option that is on
// the wire.
var wrappings = []wrapping{
	{"vxlan", mode(overlay.TunnelVXLAN), v4, "", "type vxlan dstport 4789 dev eth0 df set" + wrapVNI + to4 + unsummed, both[:1], false, overlay.Bridged},
	{"vxlan6", mode(overlay.TunnelVXLAN), v6, "", "type vxlan dstport 4789 dev eth0" + wrapVNI + to6 + unsummed, both[:1], false, overlay.Bridged},
	{"geneve", mode(overlay.TunnelGeneve), v4, "", "type geneve df set remote 192.0.2.1" + wrapVNI + unsummed, both[:1], false, overlay.Bridged},
	{"geneve6", mode(overlay.TunnelGeneve), v6, "", "type geneve remote 2001:db8::1" + wrapVNI + unsummed, both[:1], false, overlay.Bridged},

	{"gretap", mode(overlay.TunnelGRETAP), v4, "", "type gretap" + to4, both[:1], false, ""},
	{"gretap-key", as(overlay.TunnelGRETAP, keyed), v4, "", "type gretap" + to4 + keys, both[:1], false, overlay.Bridged},
	{"gretap-all", as(overlay.TunnelGRETAP, all), v4, "", "type gretap csum seq" + to4 + keys, both[:1], false, ""},
	{"gretap6", mode(overlay.TunnelGRETAP), v6, "", "type ip6gretap" + to6 + unbound, both[:1], false, ""},
	{"gretap6-key", as(overlay.TunnelGRETAP, keyed), v6, "", "type ip6gretap" + to6 + keys + unbound, both[:1], false, overlay.Bridged},
	{"gretap6-all", as(overlay.TunnelGRETAP, all), v6, "", "type ip6gretap csum seq" + to6 + keys + unbound, both[:1], false, ""},
	{"gretap6-limit", mode(overlay.TunnelGRETAP), v6, "", "type ip6gretap" + to6, both[:1], true, ""},

	{"gre", mode(overlay.TunnelGRE), v4, "", "type gre" + to4, both, false, ""},
	{"gre-key", keyed, v4, "", "type gre" + to4 + keys, both, false, overlay.Routed},
	{"gre-csum", summed, v4, "", "type gre csum" + to4, both, false, ""},
	{"gre-seq", numbered, v4, "", "type gre seq" + to4, both[:1], false, ""},
	{"gre-all", all, v4, "", "type gre csum seq" + to4 + keys, both[:1], false, ""},
	{"gre6", mode(overlay.TunnelGRE), v6, "", "type ip6gre" + to6 + unbound, both, false, ""},
	{"gre6-key", keyed, v6, "", "type ip6gre" + to6 + keys + unbound, both, false, overlay.Routed},
	{"gre6-csum", summed, v6, "", "type ip6gre csum" + to6 + unbound, both, false, ""},
	{"gre6-seq", numbered, v6, "", "type ip6gre seq" + to6 + unbound, both[:1], false, ""},
	{"gre6-all", all, v6, "", "type ip6gre csum seq" + to6 + keys + unbound, both[:1], false, ""},
	{"gre6-limit", mode(overlay.TunnelGRE), v6, "", "type ip6gre" + to6, both, true, ""},

	{"ipip", mode(overlay.TunnelIPIP), v4, "", "type ipip" + to4, both[:1], false, overlay.Routed},
	{"ipip6", mode(overlay.TunnelIPIP), v6, "", "type ip6tnl mode ipip6" + to6 + unbound, both[:1], false, overlay.Routed},
	{"ipip6-limit", mode(overlay.TunnelIPIP), v6, "", "type ip6tnl mode ipip6" + to6, both[:1], true, ""},
	{"sit", mode(overlay.TunnelSIT), v4, "", "type sit" + to4, both[1:], false, overlay.Routed},
	{"sit6", mode(overlay.TunnelSIT), v6, "", "type ip6tnl mode ip6ip6" + to6 + unbound, both[1:], false, overlay.Routed},
	{"sit6-limit", mode(overlay.TunnelSIT), v6, "", "type ip6tnl mode ip6ip6" + to6, both[1:], true, ""},

	// Linux's port for a bare packet in UDP takes one family alone.
	{"udp-ip4", mode(overlay.TunnelUDP), v4, "ip fou add port 8285 ipproto 4", "type ipip" + to4 + fou, both[:1], false, overlay.Routed},
	{"udp-ip6", mode(overlay.TunnelUDP), v4, "ip fou add port 8285 ipproto 41", "type sit" + to4 + fou, both[1:], false, overlay.Routed},
	{"udp6-ip4", mode(overlay.TunnelUDP), v6, "ip -6 fou add port 8285 ipproto 4", "type ip6tnl mode ipip6" + to6 + unbound + fou, both[:1], false, overlay.Routed},
	{"udp6-ip6", mode(overlay.TunnelUDP), v6, "ip -6 fou add port 8285 ipproto 41", "type ip6tnl mode ip6ip6" + to6 + unbound + fou, both[1:], false, overlay.Routed},
}

// limit is the kernel's (include/net/ipv6.h, IPV6_DEFAULT_TNL_ENCAP_LIMIT).
const limit = 4

// outer is what Weft says is around a packet of a family from the kernel's device, or, back,
// around one that the device takes. Ports are those of normal.
func (w wrapping) outer(f overlay.Family, back bool) encap.Outer {
	key := w.spec.OutKey
	o := encap.Outer{
		Encapsulation: overlay.Encapsulation(w.spec.Mode), Src: local(1, w.over).Addr(), Dst: local(0, w.over).Addr(),
		DstPort: w.spec.Port, VNI: w.spec.VNI, Inner: packet.TypeTEB,
		Checksum: w.spec.OutChecksum, HasSequence: w.spec.OutSequence, HasLimit: w.limited,
	}
	if back {
		key, o.Src, o.Dst = w.spec.InKey, o.Dst, o.Src
	}
	switch {
	case w.spec.Mode == overlay.TunnelGRETAP:
		o.Encapsulation = overlay.EncapGRE
	case w.spec.Mode.Ethernet():
	case f == v4:
		o.Inner = packet.TypeIPv4
	default:
		o.Inner = packet.TypeIPv6
	}
	if w.limited {
		o.Limit = limit
	}
	switch {
	case w.spec.Port != 0:
		o.SrcPort = normalPort
	case key != nil:
		o.VNI = overlay.VNI(*key)
	case w.spec.Mode.IsGRE():
		o.NoKey = true
	}
	return o
}

// encapsulation is that of networks whose packets are the same.
func (w wrapping) encapsulation() overlay.Encapsulation {
	return w.outer(v4, false).Encapsulation
}
