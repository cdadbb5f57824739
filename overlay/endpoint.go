package overlay

import (
	"fmt"
	"net/netip"
	"strings"
)

// Endpoint is one attachment of a container, VM or namespace to a network.
type Endpoint struct {
	Meta
	Spec EndpointSpec `json:"spec"`
}

// PortKind says what is behind a port.
type PortKind string

const (
	// PortSingle has one endpoint, whose addresses are known.
	PortSingle PortKind = "single"
	// PortSegment has stations behind it, which are learnt: an existing bridge.
	PortSegment PortKind = "segment"
	// PortStation is no port but a station learnt behind a segment port.
	PortStation PortKind = "station"
)

// AttachType says what the port's other end is.
type AttachType string

const (
	// AttachNetns: an interface inside a network namespace.
	AttachNetns AttachType = "netns"
	// AttachTap: a tap device on the host, for a virtual machine.
	AttachTap AttachType = "tap"
	// AttachVeth: a veth end on the host, left to the caller.
	AttachVeth AttachType = "veth"
	// AttachBridge: a bridge of somebody else's, on the host.
	AttachBridge AttachType = "bridge"
	// AttachTunnel: a tunnel to a peer outside. Such ports come from tunnels, no endpoint asks for one.
	AttachTunnel AttachType = "tunnel"
)

// Lifetime says what becomes of an endpoint whose namespace goes.
type Lifetime string

const (
	// Bound: namespace gone, endpoint detached.
	Bound Lifetime = "bound"
	// Kept: re-made when the namespace's name reappears, also after a reboot.
	Kept Lifetime = "kept"
)

// EndpointSpec declares an endpoint.
type EndpointSpec struct {
	Node NodeName `json:"node"`
	Port PortKind `json:"port"`
	// MAC of the endpoint; zero on segment ports. In a request zero means: choose one.
	MAC MAC `json:"mac,omitzero"`
	// Addresses in the network's subnets, at most one of each family, without
	// the link-local one, which follows from the MAC. In a request empty
	// means: choose one of each family.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Attach says where the port is; zero for stations.
	Attach Attach `json:"attach,omitzero"`
	// Lifetime is bound or kept [bound]; namespaces only.
	Lifetime Lifetime `json:"lifetime,omitempty"`
	// Via names the segment endpoint that a station is behind.
	Via EndpointName `json:"via,omitempty"`
	// Blocks names the node's blocks that the addresses are from, on routed
	// networks; set by servers, so that no block goes while it is in use.
	Blocks []string `json:"blocks,omitempty"`
}

// Attach says what a port is attached to.
type Attach struct {
	Type AttachType `json:"type"`
	// Target is a namespace's path, or the name of the tap, veth or bridge.
	Target string `json:"target"`
	// Identity is the namespace's device and inode numbers, "4:4026532271", so
	// that another namespace under the same name is told from this one.
	Identity string `json:"identity,omitempty"`
	// Interface is the name inside the namespace [eth0].
	Interface string `json:"interface,omitempty"`
}

// MaxInterfaceName is the longest interface name: IFNAMSIZ less the NUL.
const MaxInterfaceName = 15

// CheckInterfaceName reports why the kernel would not take s as an interface's
// name (net/core/dev.c, dev_valid_name).
func CheckInterfaceName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s: the interface name is missing", what)
	case len(s) > MaxInterfaceName:
		return fmt.Errorf("%s %q: an interface name has at most %d characters", what, s, MaxInterfaceName)
	case s == "." || s == ".." || s == "all" || s == "default" || strings.ContainsFunc(s, notInName) || strings.Contains(s, "\xa0"):
		return fmt.Errorf("%s %q: not an interface name; want letters, digits, dots and dashes", what, s)
	}
	return nil
}

// notInName: what the kernel refuses, control characters, and % for which it
// puts a number.
func notInName(c rune) bool { return c <= ' ' || c == 0x7f || c == '/' || c == ':' || c == '%' }

// Validate implements Resource. Whether the addresses are in the network's
// subnets only the server can tell.
func (e *Endpoint) Validate() error {
	for _, err := range []error{
		CheckName("endpoint", e.Name),
		CheckName("network", string(e.Network)),
		CheckName("node", string(e.Spec.Node)),
		e.checkPort(), e.checkAttach(), e.checkAddresses(),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Endpoint) checkPort() error {
	s := e.Spec
	switch {
	case s.Port == PortSegment && (!s.MAC.IsZero() || len(s.Addresses) > 0):
		return fmt.Errorf("endpoint %s: a bridge's stations have their own addresses: give neither MAC nor IP", e.Name)
	case s.Port == PortStation && (s.Via == "" || !s.MAC.IsUnicast()):
		return fmt.Errorf("endpoint %s: a station has a unicast MAC and the port that it is behind", e.Name)
	case s.Port != PortStation && s.Via != "":
		return fmt.Errorf("endpoint %s: only stations are behind a port", e.Name)
	case s.Port != PortSingle && s.Port != PortSegment && s.Port != PortStation:
		return fmt.Errorf("endpoint %s: port %q: want single, segment or station", e.Name, s.Port)
	case !s.MAC.IsZero() && !s.MAC.IsUnicast():
		return fmt.Errorf("endpoint %s: MAC %s is a multicast address; the first octet must be even", e.Name, s.MAC)
	}
	return nil
}

func (e *Endpoint) checkAttach() error {
	s := e.Spec
	if s.Lifetime != "" && s.Lifetime != Bound && s.Lifetime != Kept {
		return fmt.Errorf("endpoint %s: lifetime %q: want bound or kept", e.Name, s.Lifetime)
	}
	if s.Port == PortStation {
		return nil
	}
	if (s.Attach.Type == AttachBridge) != (s.Port == PortSegment) {
		return fmt.Errorf("endpoint %s: a bridge is a segment port, and nothing else is", e.Name)
	}
	switch s.Attach.Type {
	case AttachNetns:
		if s.Attach.Target == "" {
			return fmt.Errorf("endpoint %s: the namespace is missing", e.Name)
		}
		return e.in(CheckInterfaceName("interface", or(s.Attach.Interface, "eth0")))
	case AttachTap, AttachVeth, AttachBridge:
		return e.in(CheckInterfaceName(string(s.Attach.Type), s.Attach.Target))
	}
	return fmt.Errorf("endpoint %s: attach type %q: want netns, tap, veth or bridge", e.Name, s.Attach.Type)
}

// in says which endpoint an error is about.
func (e *Endpoint) in(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("endpoint %s: %w", e.Name, err)
}

func (e *Endpoint) checkAddresses() error {
	seen := map[Family]bool{}
	for _, a := range e.Spec.Addresses {
		f := FamilyOf(a)
		if !a.IsValid() || a.Is4In6() || a.Zone() != "" || !a.IsGlobalUnicast() {
			return fmt.Errorf("endpoint %s: address %s: want a unicast address without a zone", e.Name, a)
		}
		if seen[f] && e.Spec.Port != PortStation {
			return fmt.Errorf("endpoint %s: address %s: an endpoint has at most one address of each family", e.Name, a)
		}
		seen[f] = true
	}
	return nil
}

// Claims implements Resource: in a network, MAC and addresses belong to one
// endpoint; on a node, so does the device that is attached.
func (e *Endpoint) Claims() []Claim {
	var claims []Claim
	if !e.Spec.MAC.IsZero() {
		claims = append(claims, MACClaim(e.Network, e.Spec.MAC))
	}
	for _, a := range e.Spec.Addresses {
		claims = append(claims, AddressClaim(e.Network, a))
	}
	if at := e.Spec.Attach; at.Target != "" {
		device := "device/" + string(e.Spec.Node) + "/" + string(at.Type) + "/" + at.Target
		if at.Type == AttachNetns {
			device += "/" + or(at.Interface, "eth0")
		}
		claims = append(claims, Claim(device))
	}
	return claims
}

// MACClaim is the claim on a MAC in a network.
func MACClaim(n NetworkName, m MAC) Claim { return Claim("mac/" + string(n) + "/" + m.String()) }

// AddressClaim is the claim on an address in a network.
func AddressClaim(n NetworkName, a netip.Addr) Claim {
	return Claim("address/" + string(n) + "/" + a.String())
}

// Needs implements Resource.
func (e *Endpoint) Needs() []Key {
	needs := []Key{{Kind: KindNetwork, Name: string(e.Network)}, {Kind: KindNode, Name: string(e.Spec.Node)}}
	if tunnel, ok := e.Spec.Via.Tunnel(); ok {
		needs = append(needs, Key{Kind: KindTunnel, Network: e.Network, Name: string(tunnel)})
	} else if e.Spec.Via != "" {
		needs = append(needs, Key{Kind: KindEndpoint, Network: e.Network, Name: string(e.Spec.Via)})
	}
	for _, b := range e.Spec.Blocks {
		needs = append(needs, Key{Kind: KindBlock, Network: e.Network, Name: b})
	}
	return needs
}

// IPs is the endpoint's addresses, the link-local one last.
func (e *Endpoint) IPs() []netip.Addr {
	ips := append([]netip.Addr(nil), e.Spec.Addresses...)
	if !e.Spec.MAC.IsZero() {
		ips = append(ips, e.Spec.MAC.LinkLocal())
	}
	return ips
}

// StationName is the name under which a station's MAC is published, the same
// whichever node sees it, so that a move replaces instead of duplicates.
func StationName(m MAC) EndpointName {
	return EndpointName(fmt.Sprintf("station-%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]))
}
