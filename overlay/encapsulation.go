package overlay

import "net/netip"

// Encapsulation is how a network's packets cross the underlay.
type Encapsulation string

const (
	// EncapVXLAN is RFC 7348: Ethernet in UDP.
	EncapVXLAN Encapsulation = "vxlan"
	// EncapNone routes packets as they are between nodes on one underlay
	// segment (flannel calls it host-gw). Routed networks only.
	EncapNone Encapsulation = "none"
)

// Family is an IP address family.
type Family string

const (
	V4 Family = "v4"
	V6 Family = "v6"
	// FamilyAuto, on a network, is v4 if every member has it, else v6.
	FamilyAuto Family = "auto"
)

// FamilyOf is the family of a; a 4-in-6 mapped address counts as v4.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return V4
	}
	return V6
}

// Bits is the length of an address: 32 or 128.
func (f Family) Bits() int {
	if f == V4 {
		return 32
	}
	return 128
}

// PlaneName names an implementation of forwarding.
type PlaneName string

const (
	// PlaneAuto lets each node choose the best plane it has.
	PlaneAuto   PlaneName = "auto"
	PlaneKernel PlaneName = "kernel"
)

// BUM says what becomes of broadcast, unknown unicast and multicast frames.
// Unknown unicast is dropped either way: every station is in the registry.
type BUM string

const (
	// BUMReplicate sends broadcast and multicast to every member (head-end replication).
	BUMReplicate BUM = "replicate"
	// BUMNone keeps broadcast and multicast on the node.
	BUMNone BUM = "none"
)

// Discovery says how nodes learn who is where.
type Discovery string

// DiscoveryRegistry takes nodes and endpoints from the store; nothing is learnt from traffic
// but the stations behind segment ports, which are published there.
const DiscoveryRegistry Discovery = "registry"
