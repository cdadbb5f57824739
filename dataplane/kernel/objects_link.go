package kernel

import (
	"strings"

	"weft/overlay"
)

// LinkKind is a type of link, as ip link has it.
type LinkKind string

const (
	KindBridge   LinkKind = "bridge"
	KindVeth     LinkKind = "veth"
	KindTap      LinkKind = "tap"
	KindLoopback LinkKind = "loopback"
)

// Link is a link with everything about it that Weft sets.
type Link struct {
	Kind LinkKind
	// Alias tells Weft's links from others.
	Alias string
	// MAC and MTU; zero: whatever it has.
	MAC overlay.MAC
	MTU int
	Up  bool
	// NoLinkLocal keeps the kernel from giving the link a link-local address.
	NoLinkLocal bool
	// NoIPv6 keeps the host's own IPv6 off the link: it would report the groups that it
	// listens to into the network (RFC 3810), though it has no address there.
	NoIPv6 bool
	// NoGRO: what comes out of the link is not merged once more. Whoever has sent packets up to
	// here has merged what there was to merge.
	NoGRO bool
	// NoARP: neighbours have no MACs, as on tunnels that carry packets. Of a veth.
	NoARP bool
	// Master is the bridge that it is a port of, in the same namespace.
	Master string
	// Port is set on the ports of Weft's own bridges.
	Port BridgePort
	// Outer is set on tunnel links.
	Outer Outer
	// Inside: of a tunnel link in a domain, that the underlay is the domain, and not the host.
	Inside bool
	// Bridge is how a bridge works; Weft's have nothing of it but an ageing time.
	Bridge BridgeMode
	// Peer is the other end of a veth.
	Peer LinkID
	// Lent is set on the other end of a veth that is left to the caller: it is
	// made, and from then on neither looked at nor looked for.
	Lent bool
}

// BridgeMode is what a bridge can do beside forwarding.
type BridgeMode struct {
	STP, VLANs, Snooping bool
	// Ageing is how long it remembers stations, in seconds; of a bridge of Weft's never 0.
	Ageing int
}

// BridgePort is the flags of a bridge's port (bridge-link(8)). The zero value
// stands for a port of somebody else's bridge: the flags are left alone.
type BridgePort struct {
	// Owned is set if the flags are Weft's to set.
	Owned bool
	// Learning: stations are learnt from their frames.
	Learning bool
	// Flood: unknown unicast goes out here.
	Flood bool
	// Broadcast: broadcast and multicast go out here.
	Broadcast bool
	// Suppress: ARP and ND are answered for stations behind this port, and not
	// sent out of it.
	Suppress bool
	// Isolated ports exchange nothing with each other.
	Isolated bool
	// Odd: somebody gave the port what Weft's never have, such as hairpin mode or a
	// state other than forwarding.
	Odd bool
}

// Names inside every domain.
const (
	bridgeName   = "br0"
	tunnelName   = "vx0"
	loopbackName = "lo"
)

// aliasOf is the tag of a network's link, or of an endpoint's when it has one.
func aliasOf(n overlay.NetworkName, e overlay.EndpointName) string {
	alias := aliasPrefix + string(n)
	if e != "" {
		alias += "/" + string(e)
	}
	return alias
}

const aliasPrefix = "weft:"

// Made reports whether a link with the alias is one that Weft made.
func Made(alias string) bool { return strings.HasPrefix(alias, aliasPrefix) }
