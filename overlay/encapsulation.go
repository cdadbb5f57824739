package overlay

import (
	"fmt"
	"net/netip"
)

// Encapsulation is how a network's packets cross the underlay.
type Encapsulation string

const (
	// EncapVXLAN is RFC 7348: Ethernet in UDP.
	EncapVXLAN Encapsulation = "vxlan"
	// EncapGeneve is RFC 8926: Ethernet in UDP, with options.
	EncapGeneve Encapsulation = "geneve"
	// EncapGRE is RFC 2784 with the VNI as its key (RFC 2890): Ethernet on bridged
	// networks, IP on routed ones.
	EncapGRE Encapsulation = "gre"
	// EncapIPIP is RFC 2003, on IPv6 RFC 2473: IPv4 in IP. Routed networks only. It
	// has no place for a VNI.
	EncapIPIP Encapsulation = "ipip"
	// EncapSIT is RFC 4213 section 3, on IPv6 RFC 2473: IPv6 in IP. Otherwise it is
	// as EncapIPIP.
	EncapSIT Encapsulation = "sit"
	// EncapUDP is an IP packet of either family in UDP with nothing between the two, as
	// flannel's udp backend has it. Otherwise it is as EncapIPIP, but that networks are
	// told apart by their ports.
	EncapUDP Encapsulation = "udp"
	// EncapNone routes packets as they are between nodes on one underlay
	// segment (flannel calls it host-gw). Routed networks only.
	EncapNone Encapsulation = "none"
)

// HasVNI reports whether packets say what network they belong to. Those of the others
// belong to the network that the two nodes share: there can be one, or one for each port.
func (e Encapsulation) HasVNI() bool {
	return e == EncapVXLAN || e == EncapGeneve || e == EncapGRE
}

// DefaultPort is the UDP port that IANA, or flannel, has for it; 0 for one without ports.
func (e Encapsulation) DefaultPort() uint16 {
	switch e {
	case EncapVXLAN:
		return DefaultVXLANPort
	case EncapGeneve:
		return DefaultGenevePort
	case EncapUDP:
		return DefaultUDPPort
	}
	return 0
}

// CarriesKind reports whether networks of a kind can have it.
func (e Encapsulation) CarriesKind(k NetworkKind) bool {
	switch e {
	case EncapVXLAN, EncapGeneve, EncapGRE:
		return k == Bridged || k == Routed
	case EncapIPIP, EncapSIT, EncapUDP, EncapNone:
		return k == Routed
	}
	return false
}

// CarriesFamily reports whether networks with subnets of a family can have it.
func (e Encapsulation) CarriesFamily(f Family) bool {
	switch e {
	case EncapIPIP:
		return f == V4
	case EncapSIT:
		return f == V6
	}
	return true
}

// Mode is the mode of tunnels that carries a network of the kind between two nodes; empty
// if none does.
func (e Encapsulation) Mode(k NetworkKind) TunnelMode {
	switch {
	case e == EncapNone:
		return ""
	case e == EncapGRE && k == Bridged:
		return TunnelGRETAP
	}
	return TunnelMode(e)
}

// checkEncapsulation: each has its kinds, families and ports.
func checkEncapsulation(s NetworkSpec) error {
	e := s.Encapsulation
	switch {
	case !e.CarriesKind(Routed): // they all do
		return fmt.Errorf("encapsulation %q: want vxlan, geneve, gre, ipip, sit, udp or none", e)
	case !e.CarriesKind(s.Kind):
		return fmt.Errorf("encapsulation %s routes packets and cannot carry a bridged network; want kind routed or encapsulation vxlan", e)
	case e != EncapNone && e.DefaultPort() == 0 && s.Port != 0:
		return fmt.Errorf("encapsulation %s has no UDP port; want none instead of %d", e, s.Port)
	}
	for _, p := range s.Subnets {
		if p.IsValid() && !e.CarriesFamily(FamilyOf(p.Addr())) {
			return fmt.Errorf("encapsulation %s cannot carry subnet %s: %s", e, p, e.inside())
		}
	}
	return nil
}

// inside says what the packets of one family carry.
func (e Encapsulation) inside() string {
	if e == EncapIPIP {
		return "IPv4 alone is inside"
	}
	return "IPv6 alone is inside"
}

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
	PlaneEBPF   PlaneName = "ebpf"
	PlaneUser   PlaneName = "user"
)

// Carries reports whether the plane does an encapsulation; the kernel plane those of which
// the node's kernel has the device (NodeSpec.Device).
func (p PlaneName) Carries(e Encapsulation) bool {
	switch p {
	case PlaneKernel, PlaneEBPF:
		return e != EncapUDP
	case PlaneUser:
		return e == EncapUDP
	}
	return true // one that this version does not know: who has it knows
}

// BUM says what becomes of broadcast, unknown unicast and multicast frames. Unknown
// unicast is dropped either way, unless stations are learnt: all are known.
type BUM string

const (
	// BUMReplicate sends broadcast and multicast to every member (head-end replication).
	BUMReplicate BUM = "replicate"
	// BUMNone keeps broadcast and multicast on the node.
	BUMNone BUM = "none"
)
