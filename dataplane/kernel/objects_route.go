package kernel

import (
	"cmp"
	"net/netip"
)

// Protocol is the number by which Weft's routes are known ('w'); iproute2's
// rt_protos has no name for it.
const Protocol = 119

// Static is the number of routes that somebody has set by hand (RTPROT_STATIC): those of
// tunnels that stand alone, which are known by the tunnel's device.
const Static = 4

// RouteKey is a route in a namespace's main table.
type RouteKey struct {
	NS     NS
	Prefix netip.Prefix
	// Metric is 0 where a family has no preference: in IPv6 that is 1024.
	Metric int
}

func compareRouteKey(a, b RouteKey) int {
	return cmp.Or(cmp.Compare(a.NS, b.NS), a.Prefix.Compare(b.Prefix), cmp.Compare(a.Metric, b.Metric))
}

// Route says where packets go.
type Route struct {
	// Unreachable: they are answered with an ICMP error.
	Unreachable bool
	Device      string
	// Via is the next hop; zero: the destination is on the link.
	Via netip.Addr
	// OnLink: Via is on the link although no address of the link says so.
	OnLink bool
	// MTU of what goes this way, in bytes; 0: the device's. Only with it does a router
	// tell who sends more (net/ipv4/ip_forward.c, RFC 1191 section 4).
	MTU int
	// Protocol is Weft's, or another if somebody else set the route.
	Protocol int
}
