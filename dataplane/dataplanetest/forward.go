package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// Place is where frames go in and come out: a port, or the zero value
// [Underlay].
type Place struct {
	Network overlay.NetworkName
	Port    overlay.EndpointName
}

// Underlay is the place of the node's tunnel packets and directly routed ones.
var Underlay Place

// String returns "network/port" or "underlay".
func (p Place) String() string {
	if p == Underlay {
		return "underlay"
	}
	return string(p.Network) + "/" + string(p.Port)
}

// Delivery is a frame that comes out at a port, or a packet at the underlay.
type Delivery struct {
	At    Place
	Bytes []byte
	// Via is the next hop at the underlay: the node that gets the packet.
	Via netip.Addr
	// Freedom says what a plane may choose in this delivery. Only expectations
	// have it.
	Freedom Freedom
	// Or is as right as Bytes, if it is set. Only expectations have it.
	Or []byte
}

// Freedom is a set of liberties that a plane has; see [Differences].
type Freedom uint

const (
	// Tunnelled: the outer headers up to the encapsulation's are the plane's own.
	Tunnelled Freedom = 1 << iota
	// Made: the (inner) IP packet is the plane's own and no station's.
	Made
	// Quoting: it is an ICMP error.
	Quoting
	// Direct: it is routed over the underlay as it is.
	Direct
	// Optional: it may be missing.
	Optional
)

// Result is what becomes of one frame.
type Result struct {
	Deliveries []Delivery
	// Drop is why the frame, or a copy of it, went no further; empty when
	// everybody got it whom it was for.
	Drop overlay.DropReason
	// Network is the one that the frame was in; empty when it was in none here.
	Network overlay.NetworkName
	// Flooded are how many of the deliveries, the last ones, are copies for the members of what
	// a port says to all. Those storm control may hold back, which has to know the time, and so
	// is [Memory]'s.
	Flooded int
	// Seen is the station that was learnt; zero for none.
	Seen overlay.MAC
	// Tunnel is the port by which the frame came in where that was put in at the underlay: a
	// tunnel.
	Tunnel overlay.EndpointName
}

// Stations are the MACs learnt behind segment ports.
type Stations map[overlay.NetworkName]map[overlay.MAC]overlay.EndpointName

// Forward says what a node in state s, which has learnt those stations, does
// with a frame that comes in at a place. It changes nothing.
func Forward(s dataplane.State, learnt Stations, at Place, frame []byte) Result {
	if at == Underlay {
		return fromUnderlay(s, learnt, frame)
	}
	n, known := s.Networks[at.Network]
	p, there := n.Ports[at.Port]
	if !known || !there {
		return dropped(overlay.DropNoPort)
	}
	return fromPort(n, learnt[at.Network], p, frame).in(n)
}

func fromPort(n dataplane.Network, learnt map[overlay.MAC]overlay.EndpointName, p dataplane.Port, b []byte) Result {
	f, err := parseFrame(b)
	if err != nil {
		return dropped(overlay.DropMalformed)
	}
	if reason := forged(n, p, f); reason != "" {
		return dropped(reason)
	}
	if n.Kind == overlay.Routed {
		return router{n}.fromPort(p.Name, f)
	}
	return bridge{n, learnt}.fromPort(p, f)
}

// fromUnderlay sorts packets from the underlay: tunnel packets by protocol or UDP port,
// VNI and outer source, and directly routed ones by destination. Others are none of
// Weft's business.
func fromUnderlay(s dataplane.State, learnt Stations, b []byte) Result {
	outer, err := parseIP(b)
	if err != nil {
		return Result{}
	}
	if n, ok := directTo(s, outer.dst); ok {
		return router{n}.route(outer).freely(Direct).in(n)
	}
	if r, ok := fromPeer(s, learnt, outer); ok {
		return r
	}
	tunnel, ok := tunnelOf(s, outer)
	if !ok {
		return Result{}
	}
	o, f, err := decapsulate(tunnel, outer)
	if err != nil {
		return dropped(overlay.DropMalformed)
	}
	n, why := networkOf(s, outer, o)
	switch {
	case why != "":
		return dropped(why)
	case encap.FramesInside(n.Encapsulation, n.Kind) != (o.Inner == packet.TypeTEB):
		return dropped(overlay.DropMalformed).in(n)
	}
	return fromMember(n, learnt[n.Name], outer.src, f).in(n)
}

func fromMember(n dataplane.Network, learnt map[overlay.MAC]overlay.EndpointName, vtep netip.Addr, f frame) Result {
	switch {
	case !isMember(n, vtep):
		return dropped(overlay.DropNotMember)
	case n.Kind == overlay.Routed:
		return router{n}.fromMember(f)
	case isNobody(f.Src):
		return dropped(overlay.DropMalformed)
	}
	return bridge{n, learnt}.fromMember(f)
}

// networkOf finds the network that a tunnel packet belongs to, or says why there is none.
// A VNI counts in its network's own encapsulation, on its UDP port and address family
// only. Without VNIs it is the network of which the sender is a member.
func networkOf(s dataplane.State, outer ipPacket, o encap.Outer) (dataplane.Network, overlay.DropReason) {
	for _, n := range s.Networks {
		named := n.VNI == o.VNI
		if !o.Encapsulation.HasVNI() {
			named = isMember(n, outer.src)
		}
		if named && n.Encapsulation == o.Encapsulation && receives(n, outer) {
			return n, ""
		}
	}
	if !o.Encapsulation.HasVNI() {
		return dataplane.Network{}, overlay.DropNotMember
	}
	return dataplane.Network{}, overlay.DropUnknownVNI
}

// isMember reports whether a packet from that VTEP may enter the network.
func isMember(n dataplane.Network, vtep netip.Addr) bool {
	for _, m := range n.Members {
		if m.VTEP == vtep {
			return true
		}
	}
	return false
}

func dropped(reason overlay.DropReason) Result { return Result{Drop: reason} }

// in says whose network the frame was in.
func (r Result) in(n dataplane.Network) Result {
	r.Network = n.Name
	return r
}

// freely adds a freedom to all deliveries.
func (r Result) freely(f Freedom) Result {
	for i := range r.Deliveries {
		r.Deliveries[i].Freedom |= f
	}
	return r
}

// also adds deliveries to a Result.
func (r Result) also(d ...Delivery) Result {
	r.Deliveries = append(r.Deliveries, d...)
	return r
}
