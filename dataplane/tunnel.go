package dataplane

import (
	"net/netip"
	"reflect"

	"weft/overlay"
)

// Tunnel is the near end of a link to a peer that Weft does not manage. One that stands
// alone is an interface of the host's, with addresses and routes in its main table; one
// that is attached to a network is a port of it (Port.Tunnel).
type Tunnel struct {
	Name overlay.TunnelName
	// Spec is complete (TunnelSpec.Complete), and its Plane resolved.
	Spec overlay.TunnelSpec
	// Local and Remote are the outer addresses; Remote is what a DNS name stands for now, and
	// invalid while nobody knows: the interface is there, and carries nothing.
	Local, Remote netip.Addr
	// MTU of the interface, in bytes.
	MTU int
	// Down: the peer does not answer. The routes are not there.
	Down bool
}

// Equal compares all fields.
func (t Tunnel) Equal(o Tunnel) bool { return reflect.DeepEqual(t, o) }
