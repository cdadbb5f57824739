package dataplane

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"weft/overlay"
)

// Plane is an implementation of forwarding on one node. Its methods may be
// called from several goroutines; Apply calls are serialised by the plane.
type Plane interface {
	// Apply makes the host match want. since, when it is not nil, says what
	// changed since the State of the last successful Apply; the plane uses it
	// only when its generations fit, and else compares everything. Applying
	// the same State again changes nothing. Nothing is flushed: only what
	// differs is changed, additions first. On failure the error says what
	// state was really reached; the next Apply compares everything. want is
	// lent until Apply returns, and its maps may change then: a plane that needs
	// it later keeps a Clone, which it brings up to date with since.
	Apply(ctx context.Context, want State, since *Delta) error
	// Observe reads from the host what is there of the named network, or of
	// all when name is empty.
	Observe(ctx context.Context, name overlay.NetworkName) (Observation, error)
	// Compare is Observe of all networks without their links, FDB, neighbours and
	// routes: how much of what the last Apply wanted is there, and what was dropped. A
	// large network has very many of them, and this is asked all the time.
	Compare(ctx context.Context) (Observation, error)
	// Events announces what happens on the host without Weft's doing. The
	// channel is closed by Close. A slow reader loses nothing but repetition:
	// events of one kind about one thing are merged.
	Events() <-chan Event
	// Close releases what the plane holds in this process; forwarding goes on.
	Close() error
}

// EventKind says what happened.
type EventKind string

const (
	// EventChanged: something of Weft's on the host was changed by somebody
	// else; Apply will repair it.
	EventChanged EventKind = "changed"
	// EventPortGone: a port's device has gone, with its namespace or without.
	EventPortGone EventKind = "port-gone"
	// EventReach: members of a network's multicast group are not heard any more, or
	// are again; Observe says which.
	EventReach EventKind = "reach"
	// EventStation: a station behind a segment port was seen (new, with a new
	// address, or moved here), see Station.
	EventStation EventKind = "station"
	// EventStationGone: a station aged out, or moved behind another port.
	EventStationGone EventKind = "station-gone"
)

// Event is something that happened on the host.
type Event struct {
	Kind EventKind
	// Network is empty for a change of what belongs to no single one.
	Network overlay.NetworkName
	// Port is set on all kinds but EventChanged and EventReach.
	Port overlay.EndpointName
	// Station is set for stations; Addresses are those seen so far.
	Station Station
	// What describes a change in the user's words.
	What string
}

// Station is a MAC learnt behind a segment port.
type Station struct {
	MAC       overlay.MAC
	Addresses []netip.Addr
}

// Observation is what a plane reads from the host.
type Observation struct {
	Networks map[overlay.NetworkName]NetworkView
	// Tunnels are those that stand alone.
	Tunnels map[overlay.TunnelName]NetworkView
	// Drops counts tunnel packets of no network on this node, by reason.
	Drops map[overlay.DropReason]uint64
}

// NetworkView is one network, or one tunnel that stands alone, as the host has it. The json names are the CLI's.
type NetworkView struct {
	Links     []Link      `json:"links"`
	FDB       []FDBEntry  `json:"fdb"`
	Neighbors []Neighbor  `json:"neighbors"`
	Routes    []HostRoute `json:"routes"`
	// Wanted and Present count the plane's objects; Differs describes those
	// that are missing, different or too many, a line each. What the last Apply could
	// not make is not among them: its error says why.
	Wanted  int      `json:"wanted"`
	Present int      `json:"present"`
	Differs []string `json:"differs,omitempty"`
	// Notes say what is as wanted, and not enough, a line each.
	Notes []string `json:"notes,omitempty"`
	// Drops counts packets by reason since the network was made; reasons that
	// the plane cannot tell are in Untold.
	Drops  map[overlay.DropReason]uint64 `json:"drops,omitempty"`
	Untold []overlay.DropReason          `json:"untold,omitempty"`
	// Dropped is Drops with bytes, of the reasons for which bytes are counted.
	Dropped map[overlay.DropReason]overlay.Count `json:"dropped,omitempty"`
	// Traffic is that of all ports and nodes; Links and Nodes have that of each.
	Traffic overlay.NetworkTraffic `json:"traffic"`
	Nodes   []Peer                 `json:"nodes,omitempty"`
	// Tunnels is the traffic of those that are part of the network. The report of each has it.
	Tunnels map[overlay.TunnelName]*overlay.Traffic `json:"-"`
}

// Peer is another node of a network.
type Peer struct {
	Node overlay.NodeName `json:"node"`
	VTEP netip.Addr       `json:"vtep"`
	// Traffic between this node and that one; nil: the plane does not count it.
	Traffic *overlay.Traffic `json:"traffic,omitempty"`
}

// Origin says where an entry comes from.
type Origin string

const (
	// FromRegistry: programmed by Weft from the store.
	FromRegistry Origin = "registry"
	// FromStatic: set by hand.
	FromStatic Origin = "static"
	// FromLearnt: learnt by the plane from traffic.
	FromLearnt Origin = "learnt"
)

// Link is a device of a network.
type Link struct {
	Device    string      `json:"device"`
	Type      string      `json:"type"` // vxlan, bridge, veth, tap
	Namespace string      `json:"namespace"`
	Up        bool        `json:"up"`
	MTU       int         `json:"mtu"`
	MAC       overlay.MAC `json:"mac,omitzero"`
	// Addresses are those of a tunnel's interface.
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	// Port is the endpoint whose port it is.
	Port overlay.EndpointName `json:"port,omitempty"`
	// Tunnel is set on tunnel devices.
	Tunnel *TunnelView `json:"tunnel,omitempty"`
	// Traffic is what came in by the device and what went out, seen from the network; nil: it
	// is not counted.
	Traffic *overlay.Traffic `json:"traffic,omitempty"`
}

// TunnelView is what a tunnel device adds to a Link.
type TunnelView struct {
	VNI     overlay.VNI  `json:"vni,omitempty"`
	Local   netip.Addr   `json:"local"`
	Remotes []netip.Addr `json:"remotes,omitempty"`
	Group   netip.Addr   `json:"group,omitzero"`
	// Device is the underlay device the tunnel is bound to; empty: by route.
	Device string `json:"device,omitempty"`
	// SourcePorts is the range of UDP source ports, low and high.
	SourcePorts [2]uint16 `json:"sourcePorts,omitzero"`
	Port        uint16    `json:"port,omitempty"`
	// TTL of outer packets; 0: the host's default.
	TTL      int           `json:"ttl"`
	Learning bool          `json:"learning"`
	Ageing   time.Duration `json:"ageing"`
	// Checksum says whether outer UDP checksums are computed.
	Checksum bool `json:"checksum"`
	// Listening is the UDP socket that receives, "0.0.0.0:4789"; empty when there is none.
	Listening string `json:"listening,omitempty"`
}

// FDBEntry maps a MAC to a local port or a remote VTEP.
type FDBEntry struct {
	MAC    overlay.MAC          `json:"mac"`
	Device string               `json:"device"`
	Port   overlay.EndpointName `json:"port,omitempty"`
	VTEP   netip.Addr           `json:"vtep,omitzero"`
	Node   overlay.NodeName     `json:"node,omitempty"`
	Origin Origin               `json:"origin"`
	// Age is the time since the entry was last used or updated; negative: the host does not say.
	Age time.Duration `json:"age"`
}

// MarshalJSON writes every MAC out: that of the entry for what no other entry is
// about is all zeros, which elsewhere means that there is none.
func (e FDBEntry) MarshalJSON() ([]byte, error) {
	type entry FDBEntry // without this method
	return json.Marshal(struct {
		MAC string `json:"mac"`
		entry
	}{e.MAC.String(), entry(e)})
}

// Neighbor maps an address to a MAC.
type Neighbor struct {
	Address netip.Addr    `json:"address"`
	MAC     overlay.MAC   `json:"mac"`
	Device  string        `json:"device"`
	State   string        `json:"state"`
	Origin  Origin        `json:"origin"`
	Age     time.Duration `json:"age"`
}

// HostRoute is a route of a network.
type HostRoute struct {
	Prefix    netip.Prefix     `json:"prefix"`
	Via       netip.Addr       `json:"via,omitzero"`
	Device    string           `json:"device,omitempty"`
	Type      string           `json:"type"` // unicast, unreachable
	Namespace string           `json:"namespace"`
	Node      overlay.NodeName `json:"node,omitempty"`
	Origin    Origin           `json:"origin"`
}
