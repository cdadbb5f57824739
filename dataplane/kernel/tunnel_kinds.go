package kernel

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"

	"weft/overlay"
)

// tunnelKind is how a kind of tunnel link says what its Outer is: to netlink, and to ip link.
type tunnelKind struct {
	// device is the attribute of Outer.Device, which is another link's number.
	device uint16
	// whole: a change of the link says everything again, as the kernel takes what is not said
	// for zero (net/ipv4/ip_gre.c, ipgre_netlink_parms). The others take what is said for a
	// change, and refuse it in most options.
	whole bool
	// inNamespace: the kernel takes the namespace that the link is made in for the
	// underlay's, whoever makes it (net/ipv4/ip_tunnel.c, ip_tunnel_newlink).
	inNamespace bool
	options     []option
	// odd are attributes that Weft's links do not have, or have as zero.
	odd []uint16
}

// tunnelKinds are all.
var tunnelKinds = map[LinkKind]tunnelKind{
	KindVXLAN: {device: nl.IFLA_VXLAN_LINK, options: vxlanOptions, odd: []uint16{
		nl.IFLA_VXLAN_FLOWBASED, nl.IFLA_VXLAN_RSC, nl.IFLA_VXLAN_L2MISS, nl.IFLA_VXLAN_L3MISS,
		nl.IFLA_VXLAN_REMCSUM_RX, nl.IFLA_VXLAN_GBP, vxlanGPE,
	}},
	KindGeneve: {device: 0, options: geneveOptions, odd: []uint16{
		nl.IFLA_GENEVE_COLLECT_METADATA, nl.IFLA_GENEVE_LABEL, nl.IFLA_GENEVE_DF, nl.IFLA_GENEVE_INNER_PROTO_INHERIT,
	}},
	KindGRE:       {device: nl.IFLA_GRE_LINK, whole: true, inNamespace: true, options: gre4Options, odd: greOdd},
	KindGRETAP:    {device: nl.IFLA_GRE_LINK, whole: true, inNamespace: true, options: gre4Options, odd: greOdd},
	KindIP6GRE:    {device: nl.IFLA_GRE_LINK, whole: true, inNamespace: true, options: gre6Options, odd: greOdd},
	KindIP6GRETAP: {device: nl.IFLA_GRE_LINK, whole: true, inNamespace: true, options: gre6Options, odd: greOdd},
	KindIPIP:      {device: nl.IFLA_IPTUN_LINK, whole: true, inNamespace: true, options: ip4Options, odd: ipOdd},
	KindSIT:       {device: nl.IFLA_IPTUN_LINK, whole: true, inNamespace: true, options: ip4Options, odd: append(ipOdd, nl.IFLA_IPTUN_FLAGS)},
	KindIP6Tunnel: {device: nl.IFLA_IPTUN_LINK, whole: true, inNamespace: true, options: ip6Options, odd: ipOdd},
}

// Attributes that the netlink package does not name (linux/if_link.h, linux/if_tunnel.h).
const (
	vxlanGPE        = 27 // IFLA_VXLAN_GPE
	vxlanTTLInherit = 28 // IFLA_VXLAN_TTL_INHERIT
	greIgnoreDF     = 19 // IFLA_GRE_IGNORE_DF
	greForwardMark  = 20 // IFLA_GRE_FWMARK
	ipForwardMark   = 20 // IFLA_IPTUN_FWMARK
)

var (
	greOdd = []uint16{nl.IFLA_GRE_ENCAP_TYPE, nl.IFLA_GRE_COLLECT_METADATA, greForwardMark}
	ipOdd  = []uint16{nl.IFLA_IPTUN_ENCAP_TYPE, nl.IFLA_IPTUN_COLLECT_METADATA, ipForwardMark}
)

// The order is that in which ip link's words are read best.
var (
	vxlanOptions = slices.Concat(
		[]option{once(numberOption(nl.IFLA_VXLAN_ID, binary.NativeEndian, 0, outerVNI, named[overlay.VNI]("id")))},
		addressOption(nl.IFLA_VXLAN_GROUP, nl.IFLA_VXLAN_GROUP6, "remote", outerRemote),
		addressOption(nl.IFLA_VXLAN_LOCAL, nl.IFLA_VXLAN_LOCAL6, "local", outerLocal),
		[]option{
			deviceWords,
			once(numberOption(nl.IFLA_VXLAN_PORT, binary.BigEndian, 0, outerPort, named[uint16]("dstport"))),
			once(sourcePorts),
			numberOption(nl.IFLA_VXLAN_TTL, binary.NativeEndian, 0, outerTTL, named[uint8]("ttl")),
			once(vxlanInherit),
			numberOption(nl.IFLA_VXLAN_TOS, binary.NativeEndian, 0, outerTOS, tosWords("tos")),
			boolOption(nl.IFLA_VXLAN_LEARNING, "learning", "nolearning", true, false, func(o *Outer) *bool { return &o.Learning }),
			numberOption(nl.IFLA_VXLAN_AGEING, binary.NativeEndian, defaultAgeing, func(o *Outer) *uint32 { return &o.Ageing }, named[uint32]("ageing")),
			once(boolOption(nl.IFLA_VXLAN_PROXY, "proxy", "noproxy", false, false, func(o *Outer) *bool { return &o.Proxy })),
			once(boolOption(nl.IFLA_VXLAN_UDP_CSUM, "noudpcsum", "udpcsum", false, true, outerNoChecksum)),
			once(boolOption(nl.IFLA_VXLAN_UDP_ZERO_CSUM6_TX, "udp6zerocsumtx", "noudp6zerocsumtx", false, false, outerZeroTx)),
			once(boolOption(nl.IFLA_VXLAN_UDP_ZERO_CSUM6_RX, "udp6zerocsumrx", "noudp6zerocsumrx", false, false, outerZeroRx)),
		},
	)
	geneveOptions = slices.Concat(
		[]option{once(numberOption(nl.IFLA_GENEVE_ID, binary.NativeEndian, 0, outerVNI, named[overlay.VNI]("id")))},
		addressOption(nl.IFLA_GENEVE_REMOTE, nl.IFLA_GENEVE_REMOTE6, "remote", outerRemote),
		[]option{
			once(numberOption(nl.IFLA_GENEVE_PORT, binary.BigEndian, overlay.DefaultGenevePort, outerPort, named[uint16]("dstport"))),
			geneveTTL,
			geneveInherit,
			numberOption(nl.IFLA_GENEVE_TOS, binary.NativeEndian, 0, outerTOS, tosWords("tos")),
			once(over(overlay.V4, boolOption(nl.IFLA_GENEVE_UDP_CSUM, "noudpcsum", "udpcsum", true, true, outerNoChecksum))),
			once(over(overlay.V6, boolOption(nl.IFLA_GENEVE_UDP_ZERO_CSUM6_TX, "udp6zerocsumtx", "noudp6zerocsumtx", false, false, outerZeroTx))),
			once(over(overlay.V6, boolOption(nl.IFLA_GENEVE_UDP_ZERO_CSUM6_RX, "udp6zerocsumrx", "noudp6zerocsumrx", false, false, outerZeroRx))),
		},
	)
	greOptions = slices.Concat(
		addressOption(nl.IFLA_GRE_REMOTE, nl.IFLA_GRE_REMOTE, "remote", outerRemote),
		addressOption(nl.IFLA_GRE_LOCAL, nl.IFLA_GRE_LOCAL, "local", outerLocal),
		[]option{deviceWords},
	)
	greHeader = append(greFlags,
		keyOption(nl.IFLA_GRE_IKEY, func(o *Outer) *overlay.GREKey { return &o.InKey }),
		keyOption(nl.IFLA_GRE_OKEY, func(o *Outer) *overlay.GREKey { return &o.OutKey }),
	)
	gre4Options = slices.Concat(greOptions, []option{
		numberOption(nl.IFLA_GRE_TTL, binary.NativeEndian, 0, outerTTL, inheritWords("ttl")),
		numberOption(nl.IFLA_GRE_TOS, binary.NativeEndian, 0, outerTOS, tosWords("tos")),
		boolOption(nl.IFLA_GRE_PMTUDISC, "nopmtudisc", "pmtudisc", false, true, outerMayFragment),
		boolOption(greIgnoreDF, "ignore-df", "noignore-df", false, false, func(o *Outer) *bool { return &o.IgnoreDF }),
	}, greHeader)
	gre6Options = slices.Concat(greOptions, ip6Common(nl.IFLA_GRE_TTL, nl.IFLA_GRE_FLOWINFO, nl.IFLA_GRE_FLAGS), greHeader)

	ipOptions = slices.Concat(
		addressOption(nl.IFLA_IPTUN_REMOTE, nl.IFLA_IPTUN_REMOTE, "remote", outerRemote),
		addressOption(nl.IFLA_IPTUN_LOCAL, nl.IFLA_IPTUN_LOCAL, "local", outerLocal),
		[]option{deviceWords},
	)
	ip4Options = slices.Concat([]option{
		numberOption(nl.IFLA_IPTUN_PROTO, binary.NativeEndian, 0, outerProtocol, modeWords4),
	}, ipOptions, []option{
		numberOption(nl.IFLA_IPTUN_TTL, binary.NativeEndian, 0, outerTTL, inheritWords("ttl")),
		numberOption(nl.IFLA_IPTUN_TOS, binary.NativeEndian, 0, outerTOS, tosWords("tos")),
		boolOption(nl.IFLA_IPTUN_PMTUDISC, "nopmtudisc", "pmtudisc", false, true, outerMayFragment),
	})
	ip6Options = slices.Concat([]option{
		numberOption(nl.IFLA_IPTUN_PROTO, binary.NativeEndian, 0, outerProtocol, modeWords),
	}, ipOptions, ip6Common(nl.IFLA_IPTUN_TTL, nl.IFLA_IPTUN_FLOWINFO, nl.IFLA_IPTUN_FLAGS))
)

func outerLocal(o *Outer) *netip.Addr  { return &o.Local }
func outerRemote(o *Outer) *netip.Addr { return &o.Remote }
func outerVNI(o *Outer) *overlay.VNI   { return &o.VNI }
func outerPort(o *Outer) *uint16       { return &o.Port }
func outerTTL(o *Outer) *uint8         { return &o.TTL }
func outerTOS(o *Outer) *uint8         { return &o.TOS }
func outerProtocol(o *Outer) *uint8    { return &o.Protocol }
func outerMayFragment(o *Outer) *bool  { return &o.MayFragment }
func outerNoChecksum(o *Outer) *bool   { return &o.NoChecksum }
func outerZeroTx(o *Outer) *bool       { return &o.ZeroChecksum6Tx }
func outerZeroRx(o *Outer) *bool       { return &o.ZeroChecksum6 }
