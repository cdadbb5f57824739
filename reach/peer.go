package reach

import (
	"net/netip"
	"reflect"
	"time"

	"weft/overlay"
)

// Peer is what is to be found out.
type Peer struct {
	// Name is looked up, when it is not empty; else Remote is the address.
	Name   string
	Remote netip.Addr
	// Family of the addresses to look for; empty: any.
	Family overlay.Family
	// Own are addresses of this node, which a name may stand for, too, and which are no peer's.
	Own []netip.Addr
	// Known is what was found out of it before: it counts until it is found to be otherwise, unless
	// its address cannot be the peer's.
	Known overlay.TunnelPath
	// KeepAlive says whom to ask; nil: nobody.
	KeepAlive *overlay.KeepAlive
	// Namespace is the path of the network namespace to ask from; empty: this one. Device is
	// the tunnel's interface there; empty: as that namespace routes it.
	Namespace, Device string
}

// same reports whether there is the same to find out.
func (p Peer) same(o Peer) bool {
	p.Known, o.Known = overlay.TunnelPath{}, overlay.TunnelPath{}
	return reflect.DeepEqual(p, o)
}

// Status is what is known of a peer.
type Status struct {
	overlay.TunnelPath
	State overlay.TunnelState
	// Since is when State became so.
	Since time.Time
	// Why says more of a State other than up.
	Why string
	// RoundTrip is that of the last answer; 0: there was none.
	RoundTrip time.Duration
}

// path is what a change of which matters to forwarding.
func (s Status) path() (overlay.TunnelPath, overlay.TunnelState) { return s.TunnelPath, s.State }
