package overlay

import (
	"fmt"
	"net/netip"
	"slices"
)

// Discovery says how nodes learn who is where.
type Discovery string

const (
	// DiscoveryRegistry takes nodes and endpoints from the store; nothing is learnt from traffic
	// but the stations behind segment ports, which are published there.
	DiscoveryRegistry Discovery = "registry"
	// DiscoveryStatic takes them from the network's peers alone, which are listed by hand; it
	// can learn stations from traffic.
	DiscoveryStatic Discovery = "static"
	// DiscoveryMulticast sends what has no known place to a multicast group, and learns
	// stations from traffic (RFC 7348 section 4.2).
	DiscoveryMulticast Discovery = "multicast"
)

// DefaultGroupTTL is the TTL of packets to a multicast group. The kernel's is 1 (ip(7),
// IP_MULTICAST_TTL): such packets die at the first router.
const DefaultGroupTTL = 64

// DefaultAgeingSeconds is how long a station is remembered that nothing is heard of.
const DefaultAgeingSeconds = 300

// StaticPeer is a host of a network that runs no Weft: what Weft knows of it was typed in.
type StaticPeer struct {
	// Address is its VTEP's: where tunnel packets go to and come from. Required.
	Address netip.Addr `json:"address"`
	// VTEPMAC is what frames to it are addressed to in a routed network, where it is required if
	// the encapsulation carries frames.
	VTEPMAC MAC `json:"vtepMAC,omitzero"`
	// Blocks are its shares of a routed network.
	Blocks []netip.Prefix `json:"blocks,omitempty"`
	// Stations are those behind it in a bridged network, as far as they are known.
	Stations []PeerStation `json:"stations,omitempty"`
}

// PeerStation is a station behind a StaticPeer.
type PeerStation struct {
	MAC MAC `json:"mac"`
	// Addresses for which ARP and ND are answered on the spot.
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// Name is what stands for the peer where nodes have their names.
func (p StaticPeer) Name() NodeName { return NodeName(p.Address.String()) }

// completeDiscovery fills in what follows from discovery, peers and group.
func (s NetworkSpec) completeDiscovery() NetworkSpec {
	s.Discovery = or(s.Discovery, DiscoveryRegistry)
	if s.Discovery == DiscoveryMulticast {
		s.Learning = true
		s.TTL = or(s.TTL, DefaultGroupTTL)
	}
	if s.Learning {
		s.AgeingSeconds = or(s.AgeingSeconds, DefaultAgeingSeconds)
	}
	if s.Underlay == "" || s.Underlay == FamilyAuto {
		switch {
		case s.Group.IsValid():
			s.Underlay = FamilyOf(s.Group)
		case len(s.Peers) > 0 && s.Peers[0].Address.IsValid():
			s.Underlay = FamilyOf(s.Peers[0].Address)
		}
	}
	return s
}

// Beyond is what of the network a plane cannot do, in words; empty: nothing.
func (s NetworkSpec) Beyond(p PlaneName) string {
	if p != PlaneEBPF && p != PlaneUser {
		return ""
	}
	switch {
	case s.Discovery == DiscoveryMulticast:
		return "discovery multicast"
	case s.Learning:
		return "learning"
	case s.UnderlayDevice != "":
		return "an underlay device"
	case s.TTL != 0:
		return "a TTL of one's own"
	case s.SourcePorts != nil:
		return "a range of source ports"
	case s.UDPChecksum != nil:
		return "a choice of UDP checksums"
	}
	return ""
}

func checkDiscovery(s NetworkSpec) error {
	for _, check := range []func(NetworkSpec) error{checkFinding, checkGroup, checkOuter, checkPeers} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

// checkFinding: what each way of discovery takes.
func checkFinding(s NetworkSpec) error {
	multicast, vxlan := s.Discovery == DiscoveryMulticast, s.Encapsulation == EncapVXLAN
	switch {
	case s.Discovery != DiscoveryRegistry && s.Discovery != DiscoveryStatic && !multicast:
		return fmt.Errorf("discovery %q: want registry, static or multicast", s.Discovery)
	case multicast && !vxlan:
		return fmt.Errorf("discovery multicast is VXLAN's, and encapsulation %s has none; want encapsulation vxlan", s.Encapsulation)
	case multicast && s.Kind == Routed:
		return fmt.Errorf("discovery multicast learns stations, of which a routed network has none; want kind bridged, or discovery registry or static")
	case multicast && len(s.Peers) > 0:
		return fmt.Errorf("discovery multicast finds its peers by the group; want none listed, or discovery registry or static")
	case s.Learning && s.Discovery == DiscoveryRegistry:
		return fmt.Errorf("discovery registry learns nothing from traffic; want discovery static or multicast with learning")
	case s.Learning && (!vxlan || s.Kind == Routed):
		return fmt.Errorf("learning is for bridged networks with encapsulation vxlan; leave it out")
	case s.Learning && s.BUM == BUMNone:
		return fmt.Errorf("bum none floods nothing, so nothing can be learnt; want bum replicate")
	case !s.Learning && s.AgeingSeconds != 0:
		return fmt.Errorf("ageing is of what is learnt, and this network learns nothing; leave it out")
	case s.AgeingSeconds < 0 || s.AgeingSeconds > 86400:
		return fmt.Errorf("ageing of %d seconds: want 1 to 86400", s.AgeingSeconds)
	}
	return nil
}

func checkGroup(s NetworkSpec) error {
	multicast := s.Discovery == DiscoveryMulticast
	switch g := s.Group; {
	case !multicast && g.IsValid():
		return fmt.Errorf("group %s is for discovery multicast, and this is %s", g, s.Discovery)
	case !multicast:
		return nil
	case !g.IsValid():
		return fmt.Errorf("no multicast group; give one with --group, such as 239.1.1.1")
	case !g.IsMulticast() || g.Is4In6() || g.Zone() != "":
		return fmt.Errorf("group %s: want a multicast address such as 239.1.1.1 or ff05::100", g)
	case g.IsLinkLocalMulticast() || g.IsInterfaceLocalMulticast():
		return fmt.Errorf("group %s never leaves its segment, and is for routing protocols and the like (RFC 5771 section 4, RFC 4291 section 2.7); want one such as 239.1.1.1 or ff05::100", g)
	case FamilyOf(g) != s.Underlay:
		return fmt.Errorf("group %s is of another family than the underlay, %s", g, s.Underlay)
	case s.UnderlayDevice == "":
		return fmt.Errorf("discovery multicast: say by which of the hosts' devices with --underlay-device")
	}
	return nil
}

// checkOuter: what outer headers have.
func checkOuter(s NetworkSpec) error {
	if s.UnderlayDevice != "" {
		if err := CheckInterfaceName("underlay device", s.UnderlayDevice); err != nil {
			return err
		}
	}
	what := s.Beyond(PlaneEBPF)
	switch {
	case s.TTL < 0 || s.TTL > 255:
		return fmt.Errorf("ttl %d: want 1 to 255", s.TTL)
	case s.SourcePorts != nil && (s.SourcePorts.Low == 0 || s.SourcePorts.Low > s.SourcePorts.High):
		return fmt.Errorf("source ports %s: want a range such as 32768-60999", s.SourcePorts)
	case what != "" && s.Encapsulation != EncapVXLAN:
		return fmt.Errorf("encapsulation %s does not do %s; want encapsulation vxlan, or leave it out", s.Encapsulation, what)
	case s.Plane != PlaneAuto && s.Beyond(s.Plane) != "":
		return fmt.Errorf("plane %s does not do %s; want plane kernel or auto", s.Plane, s.Beyond(s.Plane))
	}
	return nil
}

// checkPeers: each by itself, and that no two have the same.
func checkPeers(s NetworkSpec) error {
	seen := map[string]netip.Addr{}
	for i, p := range s.Peers {
		if err := checkPeer(s, p); err != nil {
			if !p.Address.IsValid() {
				return fmt.Errorf("peer %d: %w", i+1, err)
			}
			return fmt.Errorf("peer %s: %w", p.Address, err)
		}
		for _, what := range p.holds() {
			switch other, taken := seen[what]; {
			case taken && other == p.Address:
				return fmt.Errorf("peer %s has %s twice", p.Address, what)
			case taken:
				return fmt.Errorf("peers %s and %s both have %s", other, p.Address, what)
			}
			seen[what] = p.Address
		}
		for j, b := range p.Blocks {
			if k := slices.IndexFunc(p.Blocks[:j], b.Overlaps); k >= 0 {
				return fmt.Errorf("peer %s: blocks %s and %s overlap", p.Address, p.Blocks[k], b)
			}
			for _, q := range s.Peers[:i] {
				if k := slices.IndexFunc(q.Blocks, b.Overlaps); k >= 0 {
					return fmt.Errorf("blocks %s of peer %s and %s of peer %s overlap", q.Blocks[k], q.Address, b, p.Address)
				}
			}
		}
	}
	return nil
}

func checkPeer(s NetworkSpec, p StaticPeer) error {
	a, frames := p.Address, s.Encapsulation == EncapVXLAN || s.Encapsulation == EncapGeneve
	switch {
	case !a.IsValid():
		return fmt.Errorf("it has no address; want that which it has on the underlay")
	case !a.IsGlobalUnicast() || a.Is4In6() || a.Zone() != "":
		return fmt.Errorf("want the address that it has on the underlay: a unicast one, neither loopback nor link-local")
	case FamilyOf(a) != s.Underlay:
		return fmt.Errorf("it is of another family than the underlay, %s", s.Underlay)
	case s.Encapsulation == EncapNone:
		return fmt.Errorf("encapsulation none reaches the nodes of the registry alone; want encapsulation vxlan, or no peers")
	case s.Kind == Bridged && (!p.VTEPMAC.IsZero() || len(p.Blocks) > 0):
		return fmt.Errorf("a VTEP MAC and blocks are for routed networks, and this one is bridged; want stations")
	case s.Kind == Routed && len(p.Stations) > 0:
		return fmt.Errorf("stations are for bridged networks, and this one is routed; want a VTEP MAC and blocks")
	case s.Kind == Routed && len(p.Blocks) == 0:
		return fmt.Errorf("it has no block; want those prefixes of the subnet that are behind it")
	case s.Kind == Routed && frames && !p.VTEPMAC.IsUnicast():
		return fmt.Errorf("VTEP MAC %s: want the unicast MAC of its tunnel device (ip link show)", p.VTEPMAC)
	}
	for _, b := range p.Blocks {
		if subnet, ok := s.Subnet(FamilyOf(b.Addr())); !b.IsValid() || b != b.Masked() || !ok || !subnet.Overlaps(b) || b.Bits() < subnet.Bits() {
			return fmt.Errorf("block %s: want a prefix within a subnet of the network", b)
		}
	}
	return checkStations(s, p.Stations)
}

func checkStations(s NetworkSpec, stations []PeerStation) error {
	for _, t := range stations {
		if !t.MAC.IsUnicast() || s.VNI != 0 && t.MAC == s.VNI.GatewayMAC() {
			return fmt.Errorf("station %s: want a unicast MAC, and not the gateway's", t.MAC)
		}
		for _, a := range t.Addresses {
			subnet, ok := s.Subnet(FamilyOf(a))
			switch {
			case a.IsLinkLocalUnicast() && a.Is6() && a.Zone() == "":
			case !ok || !subnet.Contains(a) || IsReserved(subnet, a):
				return fmt.Errorf("station %s: address %s is of no host in a subnet of the network", t.MAC, a)
			case slices.Contains(s.Gateways, a):
				return fmt.Errorf("station %s: address %s is the network's gateway", t.MAC, a)
			}
		}
	}
	return nil
}

// holds is what only one peer can have in a network, in words.
func (p StaticPeer) holds() []string {
	all := []string{"address " + p.Address.String()}
	if !p.VTEPMAC.IsZero() {
		all = append(all, "VTEP MAC "+p.VTEPMAC.String())
	}
	for _, t := range p.Stations {
		all = append(all, "station "+t.MAC.String())
		for _, a := range t.Addresses {
			all = append(all, "address "+a.String())
		}
	}
	return all
}

// claims are those of a network's peers: what is behind them no endpoint can have.
func (p StaticPeer) claims(n NetworkName) (claims []Claim) {
	for _, t := range p.Stations {
		claims = append(claims, MACClaim(n, t.MAC))
		for _, a := range t.Addresses {
			claims = append(claims, AddressClaim(n, a))
		}
	}
	for _, b := range p.Blocks {
		claims = append(claims, BlockClaim(n, b))
	}
	return claims
}
