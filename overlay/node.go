package overlay

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Node is a host that runs Weft.
type Node struct {
	Meta
	Spec   NodeSpec   `json:"spec"`
	Status NodeStatus `json:"status,omitzero"`
}

// NodeSpec is what a node says of itself when it joins and when it changes.
type NodeSpec struct {
	// Underlay holds the node's underlay addresses with the prefix length of
	// their segment, at most one of each family and at least one. Nodes whose
	// prefixes are equal share a segment.
	Underlay []netip.Prefix `json:"underlay"`
	// UnderlayMTU is the MTU of the route to the underlay, in bytes.
	UnderlayMTU int `json:"underlayMTU"`
	// VTEPMAC is the MAC of the node's VTEP in routed networks.
	VTEPMAC MAC `json:"vtepMAC"`
	// Planes lists the planes that this node can run, best first.
	Planes []PlaneName `json:"planes,omitempty"`
	// Lacks says of planes that it cannot run why not.
	Lacks map[PlaneName]string `json:"lacks,omitempty"`
	// NetworkPlanes are the planes of single networks on this node, where somebody has
	// said which (weft node migrate-plane). It is an administrator's to write, and counts for
	// networks that leave the choice to their nodes (plane auto).
	NetworkPlanes map[NetworkName]PlaneName `json:"networkPlanes,omitempty"`
	// TunnelModes are the modes of tunnels to strangers that each plane can do here, as
	// TunnelMode.Over writes them: "gre", and "gre6" over IPv6.
	TunnelModes map[PlaneName][]string `json:"tunnelModes,omitempty"`
	// Instance tells hosts of one name apart: servers take it from the
	// certificate of the host that the record is of.
	Instance string `json:"instance,omitempty"`
}

// NodeStatus is what a node reports.
type NodeStatus struct {
	// Seen is when the node last reported.
	Seen     time.Time       `json:"seen,omitzero"`
	Version  string          `json:"version,omitempty"`
	Kernel   string          `json:"kernel,omitempty"`
	Networks []NetworkReport `json:"networks,omitempty"`
	Tunnels  []TunnelReport  `json:"tunnels,omitempty"`
	// Drops counts tunnel packets that are of no network on the node.
	Drops Drops `json:"drops,omitempty"`
}

// NetworkReport says how far one network on one node is from what was wanted.
type NetworkReport struct {
	Network NetworkName `json:"network"`
	Plane   PlaneName   `json:"plane"`
	// PlaneReason says why that plane was chosen.
	PlaneReason string `json:"planeReason,omitempty"`
	// BetterPlane would be chosen now, if it had not been chosen before; empty: none.
	BetterPlane PlaneName `json:"betterPlane,omitempty"`
	// Wanted and Present count the plane's objects.
	Wanted  int `json:"wanted"`
	Present int `json:"present"`
	// Since is when the network last came to match, or ceased to.
	Since time.Time `json:"since,omitzero"`
	// Differs lists what is not as wanted, and why, one line each.
	Differs []string `json:"differs,omitempty"`
	// Drops counts the network's packets that were dropped on the node since the
	// network was made there.
	Drops Drops `json:"drops,omitempty"`
	// Traffic is what the network's ports and other nodes have exchanged with it on the
	// node.
	Traffic NetworkTraffic `json:"traffic,omitzero"`
}

// Underlay is the node's underlay address of a family; the second result is
// false when it has none.
func (n *Node) Underlay(f Family) (netip.Prefix, bool) {
	for _, p := range n.Spec.Underlay {
		if FamilyOf(p.Addr()) == f {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// VTEPMACFor derives a node's VTEP MAC from its name: stable over reboots and
// reinstallations, locally administered, unicast.
func VTEPMACFor(name NodeName) MAC {
	sum := sha256.Sum256([]byte("weft vtep " + name))
	return MAC{0x02, 0x77, sum[0], sum[1], sum[2], sum[3]}
}

// Validate implements Resource.
func (n *Node) Validate() error {
	if err := CheckName("node", n.Name); err != nil {
		return err
	}
	if len(n.Spec.Underlay) == 0 {
		return fmt.Errorf("node %s: no underlay address; give one with --underlay", n.Name)
	}
	seen := map[Family]bool{}
	for _, p := range n.Spec.Underlay {
		f := FamilyOf(p.Addr())
		switch {
		case !p.IsValid():
			return fmt.Errorf("node %s: underlay: an address is missing or invalid", n.Name)
		case p.Addr().Is4In6():
			return fmt.Errorf("node %s: underlay %s: want plain IPv4, not a mapped address", n.Name, p)
		case seen[f]:
			return fmt.Errorf("node %s: underlay %s: a node has one underlay address of each family", n.Name, p)
		case !p.Addr().IsGlobalUnicast():
			return fmt.Errorf("node %s: underlay %s: other nodes cannot reach it; want a unicast address that is neither loopback nor link-local", n.Name, p)
		}
		seen[f] = true
	}
	if n.Spec.UnderlayMTU < 576 || n.Spec.UnderlayMTU > 65535 {
		return fmt.Errorf("node %s: underlay MTU %d: want 576 to 65535 bytes", n.Name, n.Spec.UnderlayMTU)
	}
	if !n.Spec.VTEPMAC.IsUnicast() {
		return fmt.Errorf("node %s: VTEP MAC %s: want a unicast MAC", n.Name, n.Spec.VTEPMAC)
	}
	for network, p := range n.Spec.NetworkPlanes {
		if p != PlaneKernel && p != PlaneEBPF {
			return fmt.Errorf("node %s: plane %q of network %s: want kernel or ebpf", n.Name, p, network)
		}
	}
	return nil
}

// Claims implements Resource: underlay addresses and VTEP MAC are the node's alone.
func (n *Node) Claims() []Claim {
	claims := []Claim{Claim("vtep/" + n.Spec.VTEPMAC.String())}
	for _, p := range n.Spec.Underlay {
		claims = append(claims, Claim("underlay/"+p.Addr().String()))
	}
	return claims
}

// Needs implements Resource.
func (n *Node) Needs() []Key { return nil }

// NoDevice says what the node's kernel lacks to carry a network by its own devices; empty: it
// lacks nothing.
func (n *Node) NoDevice(s NetworkSpec) string {
	if s.Encapsulation == EncapVXLAN || s.Encapsulation == EncapNone {
		return ""
	}
	family, over := s.Underlay, ""
	if _, has4 := n.Underlay(V4); family == FamilyAuto && !has4 {
		family = V6
	}
	if family == V6 {
		over = " over IPv6"
	} else {
		family = V4
	}
	mode := s.Encapsulation.Mode(s.Kind)
	if slices.Contains(n.Spec.TunnelModes[PlaneKernel], mode.Over(family)) {
		return ""
	}
	return fmt.Sprintf("its kernel has no %s device%s", mode, over)
}
