package overlay

import (
	"fmt"
	"net/netip"
)

// NetworkKind says what the members of a network share.
type NetworkKind string

const (
	// Bridged is one L2 segment over all nodes.
	Bridged NetworkKind = "bridged"
	// Routed is L3: each node owns blocks of the subnet.
	Routed NetworkKind = "routed"
)

// Network is a virtual network.
type Network struct {
	Meta
	Spec NetworkSpec `json:"spec"`
}

// The tags minimum and maximum below are what a number can be in any network at
// all, for manifests and the API's document; Validate knows more.

// NetworkSpec declares a network. Zero values mean the default in brackets;
// servers store the completed spec, so readers never see a zero value but MTU.
type NetworkSpec struct {
	// VNI identifies the network on the wire [the lowest that is free, from 4097].
	VNI VNI `json:"vni,omitempty" minimum:"1" maximum:"16777215"`
	// Kind is bridged or routed [bridged].
	Kind NetworkKind `json:"kind,omitempty"`
	// Subnets: one IPv4 prefix, one IPv6 prefix, or one of each. Required.
	Subnets []netip.Prefix `json:"subnets"`
	// Gateways: the gateway address in each subnet [the first of each].
	Gateways []netip.Addr `json:"gateways,omitempty"`
	// Encapsulation is how packets cross the underlay [vxlan]; ipip (IPv4 inside), sit (IPv6 inside)
	// and none are for routed networks.
	Encapsulation Encapsulation `json:"encapsulation,omitempty"`
	// Port is the UDP destination port of the encapsulation, 1 to 65535 [4789].
	Port uint16 `json:"port,omitempty" minimum:"1" maximum:"65535"`
	// Plane is the implementation of forwarding [auto].
	Plane PlaneName `json:"plane,omitempty"`
	// Underlay is the family that carries the packets [auto].
	Underlay Family `json:"underlay,omitempty"`
	// MTU of the ports, in bytes [computed: the smallest underlay MTU of the
	// members less the encapsulation's overhead]. A larger one than that is
	// reported, and the computed one is used.
	MTU int `json:"mtu,omitempty" minimum:"576" maximum:"65535"`
	// Discovery is registry, static or multicast [registry].
	Discovery Discovery `json:"discovery,omitempty"`
	// Peers are hosts that run no Weft; not in discovery multicast.
	Peers []StaticPeer `json:"peers,omitempty"`
	// Learning has stations learnt from traffic in discovery static; multicast always does [false].
	Learning bool `json:"learning,omitempty"`
	// AgeingSeconds is how long a station that was learnt is remembered [300], 1 to 86400.
	AgeingSeconds int `json:"ageingSeconds,omitempty" minimum:"1" maximum:"86400"`
	// Group is the multicast group of discovery multicast, where it is required.
	Group netip.Addr `json:"group,omitzero"`
	// TTL of outer packets, 1 to 255 [the hosts' own; in discovery multicast 64].
	TTL int `json:"ttl,omitempty" minimum:"1" maximum:"255"`
	// UnderlayDevice is what the device is called by which the hosts send tunnel packets [as
	// they route them]; a group needs one.
	UnderlayDevice string `json:"underlayDevice,omitempty"`
	// SourcePorts is the range of outer UDP source ports [the hosts'], low and high.
	SourcePorts *PortRange `json:"sourcePorts,omitempty"`
	// UDPChecksum says whether outer UDP checksums are computed [as the plane does]. Over IPv6,
	// packets without one are accepted in any case (RFC 6935).
	UDPChecksum *bool `json:"udpChecksum,omitempty"`
	// BUM is replicate or none [replicate]; it has a meaning on bridged networks.
	BUM BUM `json:"bum,omitempty"`
	// DirectRouting sends packets between nodes on one underlay segment
	// without encapsulation; routed networks only [false].
	DirectRouting bool `json:"directRouting,omitempty"`
	// BlockBits4 and BlockBits6 are the prefix lengths of a node's share of a
	// routed network [24 and 64, or longer so that the subnet holds 16 blocks].
	BlockBits4 int `json:"blockBits4,omitempty" minimum:"8" maximum:"30"`
	BlockBits6 int `json:"blockBits6,omitempty" minimum:"16" maximum:"126"`
}

// IANA's ports for VXLAN (RFC 7348 section 5) and Geneve (RFC 8926 section 3.3), and the one
// that flannel has for bare packets.
const (
	DefaultVXLANPort  = 4789
	DefaultGenevePort = 6081
	DefaultUDPPort    = 8285
)

// Complete fills in every default but the VNI, which only a server can choose.
func (s NetworkSpec) Complete() NetworkSpec {
	s.Kind = or(s.Kind, Bridged)
	s.Encapsulation = or(s.Encapsulation, EncapVXLAN)
	s.Port = or(s.Port, s.defaultPort())
	s.Plane = or(s.Plane, PlaneAuto)
	s = s.completeDiscovery()
	s.Underlay = or(s.Underlay, FamilyAuto)
	s.BUM = or(s.BUM, BUMReplicate)
	if len(s.Gateways) == 0 {
		for _, p := range s.Subnets {
			s.Gateways = append(s.Gateways, p.Masked().Addr().Next())
		}
	}
	if s.Kind == Routed {
		for _, p := range s.Subnets {
			if FamilyOf(p.Addr()) == V4 {
				s.BlockBits4 = or(s.BlockBits4, max(24, min(p.Bits()+4, 30)))
			} else {
				s.BlockBits6 = or(s.BlockBits6, max(64, min(p.Bits()+4, 124)))
			}
		}
	}
	return s
}

// defaultPort is the encapsulation's; one without ports has none but for none, of which
// specs are stored with VXLAN's.
func (s NetworkSpec) defaultPort() uint16 {
	if s.Encapsulation == EncapNone {
		return DefaultVXLANPort
	}
	return s.Encapsulation.DefaultPort()
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Subnet is the network's subnet of a family; false when it has none.
func (s NetworkSpec) Subnet(f Family) (netip.Prefix, bool) {
	for _, p := range s.Subnets {
		if FamilyOf(p.Addr()) == f {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// BlockBits is the prefix length of a node's share of the subnet of a family.
func (s NetworkSpec) BlockBits(f Family) int {
	if f == V4 {
		return s.BlockBits4
	}
	return s.BlockBits6
}

// Validate implements Resource. It accepts specs before and after Complete.
func (n *Network) Validate() error {
	if err := CheckName("network", n.Name); err != nil {
		return err
	}
	s := n.Spec.Complete()
	for _, check := range []func(NetworkSpec) error{
		checkIdentity, checkChoices, checkEncapsulation, checkSubnets, checkGateways, checkBlocks, checkMTU, checkDiscovery,
	} {
		if err := check(s); err != nil {
			return fmt.Errorf("network %s: %w", n.Name, err)
		}
	}
	return nil
}

func checkIdentity(s NetworkSpec) error {
	if s.VNI != 0 && !s.VNI.Valid() {
		return fmt.Errorf("VNI %d: want 1 to %d", s.VNI, MaxVNI)
	}
	return nil
}

func checkChoices(s NetworkSpec) error {
	switch {
	case s.Kind != Bridged && s.Kind != Routed:
		return fmt.Errorf("kind %q: want bridged or routed", s.Kind)
	case s.DirectRouting && s.Kind != Routed:
		return fmt.Errorf("directRouting routes packets and cannot carry a bridged network; want kind routed")
	case s.Plane != PlaneAuto && s.Plane != PlaneKernel && s.Plane != PlaneEBPF && s.Plane != PlaneUser:
		return fmt.Errorf("plane %q: want auto, kernel, ebpf or user", s.Plane)
	case s.Underlay != FamilyAuto && s.Underlay != V4 && s.Underlay != V6:
		return fmt.Errorf("underlay %q: want auto, v4 or v6", s.Underlay)
	case s.BUM != BUMReplicate && s.BUM != BUMNone:
		return fmt.Errorf("bum %q: want replicate or none", s.BUM)
	}
	return nil
}

func checkSubnets(s NetworkSpec) error {
	if len(s.Subnets) == 0 {
		return fmt.Errorf("no subnet; give one with --subnet (IPv4) or --subnet6")
	}
	seen := map[Family]bool{}
	for _, p := range s.Subnets {
		if !p.IsValid() {
			return fmt.Errorf("a subnet is missing or invalid; want a prefix such as 10.7.0.0/24")
		}
		f, a := FamilyOf(p.Addr()), p.Addr()
		switch {
		case a.Is4In6():
			return fmt.Errorf("subnet %s: want plain IPv4, not a mapped address", p)
		case seen[f]:
			return fmt.Errorf("subnet %s: a network has at most one subnet of each family", p)
		case a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified():
			return fmt.Errorf("subnet %s: want unicast addresses, neither loopback, link-local nor 0", p)
		case p != p.Masked():
			return fmt.Errorf("subnet %s has bits set beyond its length; want %s", p, p.Masked())
		case f == V4 && (p.Bits() < 8 || p.Bits() > 30):
			return fmt.Errorf("subnet %s: want a prefix length of 8 to 30", p)
		case f == V6 && (p.Bits() < 16 || p.Bits() > 126):
			return fmt.Errorf("subnet %s: want a prefix length of 16 to 126", p)
		}
		seen[f] = true
	}
	return nil
}

func checkGateways(s NetworkSpec) error {
	if len(s.Gateways) != len(s.Subnets) {
		return fmt.Errorf("%d gateways for %d subnets: give one in each, or none to take the first address", len(s.Gateways), len(s.Subnets))
	}
	seen := map[netip.Prefix]bool{}
	for _, g := range s.Gateways {
		p, ok := s.Subnet(FamilyOf(g))
		if !ok || !p.Contains(g) {
			return fmt.Errorf("gateway %s is in none of its subnets", g)
		}
		if seen[p] {
			return fmt.Errorf("gateway %s: subnet %s has one already; give one in each subnet, or none to take the first address", g, p)
		}
		seen[p] = true
		if IsReserved(p, g) {
			return fmt.Errorf("gateway %s is the network or broadcast address of %s", g, p)
		}
	}
	return nil
}

func checkBlocks(s NetworkSpec) error {
	for _, p := range s.Subnets {
		f := FamilyOf(p.Addr())
		bits := s.BlockBits(f)
		if s.Kind != Routed {
			if bits != 0 {
				return fmt.Errorf("blocks are for routed networks; this one is bridged")
			}
			continue
		}
		if bits < p.Bits() || bits > f.Bits()-2 {
			return fmt.Errorf("block prefix length %d: subnet %s takes %d to %d", bits, p, p.Bits(), f.Bits()-2)
		}
	}
	return nil
}

// MinMTU is the smallest MTU that a network can have, in bytes: what every IPv4
// host has to take (RFC 1122 section 3.3.2).
const MinMTU = 576

// minMTU6 is the smallest MTU of a link that carries IPv6 (RFC 8200 section 5).
const minMTU6 = 1280

func checkMTU(s NetworkSpec) error {
	low := MinMTU
	if _, ok := s.Subnet(V6); ok {
		low = minMTU6
	}
	if s.MTU != 0 && (s.MTU < low || s.MTU > 65535) {
		return fmt.Errorf("MTU %d: want %d to 65535 bytes, or none to have it computed", s.MTU, low)
	}
	return nil
}

// IsReserved reports whether a is an address of p that no station may have: the
// network address and the IPv4 broadcast address (RFC 919), or the IPv6
// subnet-router anycast address (RFC 4291 section 2.6.1).
func IsReserved(p netip.Prefix, a netip.Addr) bool {
	if a == p.Masked().Addr() {
		return true
	}
	return FamilyOf(a) == V4 && a == LastAddr(p)
}

// LastAddr is the highest address of p.
func LastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Claims implements Resource: a VNI belongs to one network, on any port, so
// that a capture is never ambiguous. What peers have no endpoint can have.
func (n *Network) Claims() []Claim {
	var claims []Claim
	for _, p := range n.Spec.Peers {
		claims = append(claims, p.claims(NetworkName(n.Name))...)
	}
	if n.Spec.VNI == 0 {
		return claims
	}
	claims = append(claims, VNIClaim(n.Spec.VNI))
	if e := n.Spec.Encapsulation; e != "" && e != EncapNone && !e.HasVNI() {
		claims = append(claims, BareClaim(e, n.Spec.Complete().Port))
	}
	return claims
}

// BareClaim is the claim on an encapsulation whose packets do not say what network they
// belong to: one network has it, on a port of those with ports.
func BareClaim(e Encapsulation, port uint16) Claim {
	if e.DefaultPort() == 0 {
		return Claim("bare/" + string(e))
	}
	return Claim(fmt.Sprintf("bare/%s/%d", e, port))
}

// VNIClaim is the claim on a VNI.
func VNIClaim(v VNI) Claim { return Claim("vni/" + v.String()) }

// Needs implements Resource.
func (n *Network) Needs() []Key { return nil }
