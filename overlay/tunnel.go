package overlay

import (
	"net/netip"
	"time"
)

// Tunnel is one point-to-point link to a peer that Weft does not manage: a router, a
// site, a host with tunnels of its own. Its network (Meta.Network) is the one that it is
// attached to; a tunnel without one stands alone: it is an interface of its node's.
type Tunnel struct {
	Meta
	Spec TunnelSpec `json:"spec"`
}

// TunnelName names a tunnel within its network, or among those that stand alone.
type TunnelName string

// TunnelMode is how a tunnel's packets cross the underlay. The same word stands for both
// underlay families: Linux calls gre, gretap and ipip over IPv6 ip6gre, ip6gretap and ip6tnl.
type TunnelMode string

const (
	// TunnelVXLAN is RFC 7348. A remote that is a multicast group floods and learns (section 4.2).
	TunnelVXLAN TunnelMode = "vxlan"
	// TunnelGeneve is RFC 8926.
	TunnelGeneve TunnelMode = "geneve"
	// TunnelGRE carries IP of both families (RFC 2784, 2890).
	TunnelGRE TunnelMode = "gre"
	// TunnelGRETAP carries Ethernet in GRE (protocol 0x6558, transparent Ethernet bridging).
	TunnelGRETAP TunnelMode = "gretap"
	// TunnelIPIP carries IPv4: RFC 2003, over IPv6 RFC 2473. It refuses all else.
	TunnelIPIP TunnelMode = "ipip"
	// TunnelSIT carries IPv6: RFC 4213 section 3, over IPv6 RFC 2473. It refuses all else.
	TunnelSIT TunnelMode = "sit"
	// TunnelUDP carries bare IP packets in UDP, as flannel's udp backend does.
	TunnelUDP TunnelMode = "udp"
)

// TunnelSpec declares a tunnel. Zero values mean the default in brackets.
type TunnelSpec struct {
	// Node is the one that has the tunnel's near end. Required.
	Node NodeName `json:"node"`
	// Device is the name of the tunnel's interface on the node [the tunnel's name].
	Device string `json:"device,omitempty"`
	// Mode is vxlan, geneve, gre, gretap, ipip, sit or udp. Required.
	Mode TunnelMode `json:"mode"`
	// Local is the outer source address [the node's underlay address of the remote's family].
	Local netip.Addr `json:"local,omitzero"`
	// Remote is the peer's address, a DNS name that resolves to it, or, in mode vxlan, a
	// multicast group. Required.
	Remote string `json:"remote"`
	// Underlay is the device that outer packets leave by [as the host routes them]; a
	// multicast group needs one.
	Underlay string `json:"underlay,omitempty"`
	// VNI of vxlan and geneve, where it is required.
	VNI VNI `json:"vni,omitempty" minimum:"1" maximum:"16777215"`
	// Port is the UDP destination port [vxlan 4789, geneve 6081, udp 8285].
	Port uint16 `json:"port,omitempty" minimum:"1" maximum:"65535"`
	// SourcePorts is the range of outer UDP source ports of vxlan [the host's], low and high.
	SourcePorts *PortRange `json:"sourcePorts,omitempty"`
	// TTL of outer packets, 1 to 255 [64; of a multicast group 1]; inherit has the inner packet's.
	TTL TTL `json:"ttl,omitzero"`
	// TOS of outer packets, 0 to 255 [inherit]; inherit has the inner packet's (RFC 6040 has
	// the ECN part of it either way).
	TOS TOS `json:"tos,omitzero"`
	// InKey and OutKey are GRE's keys (RFC 2890 section 2.1) of packets received and sent; nil: none.
	InKey  *GREKey `json:"inKey,omitempty"`
	OutKey *GREKey `json:"outKey,omitempty"`
	// InChecksum demands GRE's checksum of packets received, OutChecksum sends it (RFC 2784
	// section 2.1).
	InChecksum  bool `json:"inChecksum,omitempty"`
	OutChecksum bool `json:"outChecksum,omitempty"`
	// InSequence drops packets that are out of order, OutSequence numbers those sent (RFC 2890
	// section 2.2).
	InSequence  bool `json:"inSequence,omitempty"`
	OutSequence bool `json:"outSequence,omitempty"`
	// NoPMTUDiscovery sends outer IPv4 packets without DF [false]: they may be fragmented.
	NoPMTUDiscovery bool `json:"noPMTUDiscovery,omitempty"`
	// UDPChecksum says whether vxlan, geneve and udp compute outer UDP checksums [true, but not on the
	// eBPF plane, which does so without offloads: over IPv6 the peer has to accept packets
	// without one (RFC 6935), as tunnels here do].
	UDPChecksum *bool `json:"udpChecksum,omitempty"`
	// Learning has vxlan learn stations from what it receives [true].
	Learning *bool `json:"learning,omitempty"`
	// AgeingSeconds is how long vxlan remembers a station [300], 1 to 86400.
	AgeingSeconds int `json:"ageingSeconds,omitempty" minimum:"1" maximum:"86400"`
	// Proxy has vxlan answer ARP and ND from Neighbors (ip-link(8), proxy) [false].
	Proxy bool `json:"proxy,omitempty"`
	// FDB are vxlan's stations by hand, in addition to what it learns.
	FDB []TunnelStation `json:"fdb,omitempty"`
	// Neighbors are permanent neighbours of a Layer-2 tunnel.
	Neighbors []TunnelNeighbor `json:"neighbors,omitempty"`
	// MAC of a Layer-2 tunnel's interface [the kernel's choice].
	MAC MAC `json:"mac,omitzero"`
	// MTU of the interface, in bytes [the underlay's less the overhead].
	MTU int `json:"mtu,omitempty" minimum:"68" maximum:"65535"`
	// Addresses of the interface, with their prefix lengths; on a tunnel that stands alone.
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	// Routes that lead through the tunnel.
	Routes []TunnelRoute `json:"routes,omitempty"`
	// KeepAlive probes the peer; nil: the tunnel counts as up.
	KeepAlive *KeepAlive `json:"keepAlive,omitempty"`
	// Plane is the implementation of forwarding [auto].
	Plane PlaneName `json:"plane,omitempty"`
}

// TunnelRoute is a route through a tunnel.
type TunnelRoute struct {
	Prefix netip.Prefix `json:"prefix"`
	// Via is the next hop [none: the tunnel is point to point].
	Via netip.Addr `json:"via,omitzero"`
	// Metric, 1 to 4294967295 [the kernel's default of the family].
	Metric uint32 `json:"metric,omitempty"`
}

// TunnelStation is an entry of a vxlan tunnel's FDB. The all-zeros MAC is where frames go
// that no other entry is about; it may have several.
type TunnelStation struct {
	MAC  MAC        `json:"mac"`
	VTEP netip.Addr `json:"vtep"`
}

// TunnelNeighbor maps an address to a MAC.
type TunnelNeighbor struct {
	Address netip.Addr `json:"address"`
	MAC     MAC        `json:"mac"`
}

// KeepAlive says how a tunnel's peer is probed: by ICMP echo through the tunnel. A tunnel whose peer does not
// answer loses its routes until it answers again.
type KeepAlive struct {
	// Target is the address to ask, at the other end of the tunnel. Required.
	Target netip.Addr `json:"target"`
	// IntervalMilliseconds between probes, 100 to 60000 [500].
	IntervalMilliseconds int `json:"intervalMilliseconds,omitempty" minimum:"100" maximum:"60000"`
	// Misses in a row make the tunnel down, answers in a row up, 1 to 100 [3].
	Misses int `json:"misses,omitempty" minimum:"1" maximum:"100"`
}

// Interval between probes.
func (k KeepAlive) Interval() time.Duration {
	return time.Duration(or(k.IntervalMilliseconds, 500)) * time.Millisecond
}
