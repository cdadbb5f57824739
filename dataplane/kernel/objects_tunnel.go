package kernel

import (
	"net/netip"

	"weft/overlay"
)

// Outer is how a tunnel link's packets look outside, and which ones it takes. Numbers are
// as the kernel has them.
type Outer struct {
	// Local is the source address; not valid: as the host routes. Remote is the peer, of
	// vxlan also a multicast group; not valid: where the link's FDB says.
	Local, Remote netip.Addr
	// Device is the underlay's by which packets leave; empty: as the host routes.
	Device string
	VNI    overlay.VNI
	Port   uint16
	// SourcePorts of vxlan; zero: the host's.
	SourcePorts overlay.PortRange
	// TTL 0 is the host's default on vxlan and geneve, which have InheritTTL, and the inner
	// packet's on the others.
	TTL        uint8
	InheritTTL bool
	// TOS 1 is the inner packet's.
	TOS uint8
	// InFlags and OutFlags are GRE's (RFC 2890): packets without them are refused, or sent
	// with them.
	InFlags, OutFlags GREFlags
	InKey, OutKey     overlay.GREKey
	// Protocol is what of IP is inside: 4, 41, or 0 for both.
	Protocol uint8
	// MayFragment: outer IPv4 packets have no DF, but GRE's that of the packet inside without IgnoreDF.
	MayFragment, IgnoreDF bool
	// EncapLimit has outer IPv6 packets say how often they may be wrapped again (RFC 2473
	// section 4.1.1), in 8 bytes.
	EncapLimit bool
	// NoChecksum sends outer UDP over IPv4 without checksum, ZeroChecksum6Tx over IPv6, and
	// ZeroChecksum6 accepts such (RFC 6935). All vxlan links on a port share a socket, so
	// all have the same ZeroChecksum6.
	NoChecksum, ZeroChecksum6Tx, ZeroChecksum6 bool
	// Learning, Ageing (in seconds) and Proxy are vxlan's.
	Learning bool
	Ageing   uint32
	Proxy    bool
	// Odd: somebody gave the link what Weft's never have, such as metadata mode.
	Odd bool
}

// GREFlags are those of GRE's header.
type GREFlags uint16

const (
	GREChecksum GREFlags = 0x8000
	GREKeyed    GREFlags = 0x2000
	GRESequence GREFlags = 0x1000
)

// inheritTOS is the TOS that stands for the inner packet's.
const inheritTOS = 1

// defaultAgeing is how long a vxlan link remembers a station, in seconds, and a bridge
// (drivers/net/vxlan/vxlan_core.c, FDB_AGE_DEFAULT; IEEE 802.1Q table 8-5).
const defaultAgeing = 300

// Kinds of tunnel links. Those that end in 6 or begin with ip6 are over IPv6; vxlan and
// geneve are over both.
const (
	KindVXLAN     LinkKind = "vxlan"
	KindGeneve    LinkKind = "geneve"
	KindGRE       LinkKind = "gre"
	KindGRETAP    LinkKind = "gretap"
	KindIPIP      LinkKind = "ipip"
	KindSIT       LinkKind = "sit"
	KindIP6GRE    LinkKind = "ip6gre"
	KindIP6GRETAP LinkKind = "ip6gretap"
	KindIP6Tunnel LinkKind = "ip6tnl"
)

// kindOf is the kind of link that does a mode over an underlay family, empty if the
// kernel has none; protocol is what it carries, of those kinds that carry different ones.
func kindOf(m overlay.TunnelMode, underlay overlay.Family) (kind LinkKind, protocol uint8) {
	const inIPv4, inIPv6 = 4, 41 // IPPROTO_IPIP, IPPROTO_IPV6
	over6 := underlay == overlay.V6
	switch m {
	case overlay.TunnelVXLAN:
		return KindVXLAN, 0
	case overlay.TunnelGeneve:
		return KindGeneve, 0
	case overlay.TunnelGRE:
		if over6 {
			return KindIP6GRE, 0
		}
		return KindGRE, 0
	case overlay.TunnelGRETAP:
		if over6 {
			return KindIP6GRETAP, 0
		}
		return KindGRETAP, 0
	case overlay.TunnelIPIP:
		if over6 {
			return KindIP6Tunnel, inIPv4
		}
		return KindIPIP, inIPv4
	case overlay.TunnelSIT:
		if over6 {
			return KindIP6Tunnel, inIPv6
		}
		return KindSIT, inIPv6
	}
	return "", 0
}

// isTunnel reports whether links of the kind lead to other hosts.
func (k LinkKind) isTunnel() bool { _, ok := tunnelKinds[k]; return ok }

// hasSocket reports whether links of the kind receive by a UDP socket in the namespace
// that they were made from.
func (k LinkKind) hasSocket() bool { return k == KindVXLAN || k == KindGeneve }

// excludes reports whether a host cannot have both links: they would take the same packets.
func (l Link) excludes(o Link) bool {
	a, b := l.Outer, o.Outer
	switch {
	case l.Kind != o.Kind || !l.Kind.isTunnel() || l.Inside != o.Inside:
		return false
	case l.Kind == KindVXLAN:
		return a.VNI == b.VNI && a.Port == b.Port
	case l.Kind == KindGeneve:
		return a.VNI == b.VNI && a.Port == b.Port && a.Remote == b.Remote
	}
	return a.Local == b.Local && a.Remote == b.Remote && a.Device == b.Device && a.InKey == b.InKey && a.InFlags&GREKeyed == b.InFlags&GREKeyed
}
