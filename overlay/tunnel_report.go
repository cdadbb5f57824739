package overlay

import (
	"net/netip"
	"time"
)

// TunnelState is what keep-alive probes say of a tunnel's peer.
type TunnelState string

const (
	// TunnelUp: the peer answers, or nobody asks it.
	TunnelUp TunnelState = "up"
	// TunnelDown: it does not answer, and the routes are withdrawn.
	TunnelDown TunnelState = "down"
	// TunnelFlapping: it has gone down and come back too often of late; whether the routes are
	// there follows from the last change.
	TunnelFlapping TunnelState = "flapping"
	// TunnelUnresolved: the DNS name of the remote has no address (yet).
	TunnelUnresolved TunnelState = "unresolved"
)

// TunnelReport says how a tunnel of a node is.
type TunnelReport struct {
	// Network is the one that it is attached to; empty: it stands alone.
	Network NetworkName `json:"network,omitempty"`
	Tunnel  TunnelName  `json:"tunnel"`
	State   TunnelState `json:"state"`
	// Since is when State became so.
	Since time.Time `json:"since,omitzero"`
	// Why says more of a State other than up.
	Why string `json:"why,omitempty"`
	// Remote is the peer's address, which a DNS name stands for now.
	Remote netip.Addr `json:"remote,omitzero"`
	// RoundTripMicroseconds is that of the last probe that was answered; 0: none was.
	RoundTripMicroseconds int `json:"roundTripMicroseconds,omitempty"`
	// Plane forwards it; PlaneReason says why that one.
	Plane       PlaneName `json:"plane,omitempty"`
	PlaneReason string    `json:"planeReason,omitempty"`
	// MTU of the interface, in bytes.
	MTU int `json:"mtu,omitempty"`
	// Wanted and Present count the plane's objects of a tunnel that stands alone; Differs
	// lists what is not as wanted, and why, one line each.
	Wanted  int      `json:"wanted,omitempty"`
	Present int      `json:"present,omitempty"`
	Differs []string `json:"differs,omitempty"`
	// Notes say what on the node keeps packets from passing although all is as wanted, one
	// line each.
	Notes []string `json:"notes,omitempty"`
	// Traffic is what came in by the interface and what went out; nil: it is not counted.
	Traffic *Traffic `json:"traffic,omitempty"`
	// Drops counts packets that were dropped, by reason.
	Drops Drops `json:"drops,omitempty"`
}
