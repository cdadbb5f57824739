package matrix

import (
	"strings"

	"weft/overlay"
)

const v4, v6 = overlay.V4, overlay.V6

var families = []overlay.Family{v4, v6}

// form is how Weft's host and its peer have a subject.
type form string

const (
	bridged form = "bridged" // a network, with an endpoint on either side
	routed  form = "routed"  // likewise
	alone   form = "tunnel"  // a tunnel that stands alone: an interface of either host
	// inBridged and inRouted are tunnels that are parts of a network, in which Weft's host has an
	// endpoint; to the peer they are its own.
	inBridged form = "tunnel in a bridged network"
	inRouted  form = "tunnel in a routed network"
)

// option is what a subject has that others of its mode have not.
type option string

const (
	plain option = ""
	// keyed has a GRE key of its own in each direction.
	keyed option = "keys"
	// summed and numbered have GRE's checksums and sequence numbers, both ways, and full has all.
	summed   option = "csum"
	numbered option = "seq"
	full     option = "keys csum seq"
	// udpSummed has outer UDP checksums from the peer.
	udpSummed option = "udpcsum"
	// limited has the tunnel encapsulation limit from the peer that Linux puts there over IPv6
	// (RFC 2473 section 4.1.1): 8 bytes less of what is inside.
	limited option = "encaplimit"
	// inside4 and inside6 have one family inside, where a peer can take one alone.
	inside4 option = "IPv4 inside"
	inside6 option = "IPv6 inside"
)

// subject is what two hosts are joined by.
type subject struct {
	form   form
	mode   overlay.TunnelMode // for networks that of their packets
	option option
}

// subjects are all.
var subjects = []subject{
	{bridged, overlay.TunnelVXLAN, plain},
	{bridged, overlay.TunnelVXLAN, udpSummed},
	{bridged, overlay.TunnelGeneve, plain},
	{bridged, overlay.TunnelGRETAP, plain},
	{bridged, overlay.TunnelGRETAP, limited},
	{routed, overlay.TunnelVXLAN, plain},
	{routed, overlay.TunnelGeneve, plain},
	{routed, overlay.TunnelGRE, plain},
	{routed, overlay.TunnelGRE, limited},
	{routed, overlay.TunnelIPIP, plain},
	{routed, overlay.TunnelIPIP, limited},
	{routed, overlay.TunnelSIT, plain},
	{routed, overlay.TunnelUDP, inside4},
	{routed, overlay.TunnelUDP, inside6},

	{alone, overlay.TunnelVXLAN, plain},
	{alone, overlay.TunnelVXLAN, udpSummed},
	{alone, overlay.TunnelGeneve, plain},
	{alone, overlay.TunnelGRETAP, plain},
	{alone, overlay.TunnelGRETAP, keyed},
	{alone, overlay.TunnelGRETAP, full},
	{alone, overlay.TunnelGRE, plain},
	{alone, overlay.TunnelGRE, keyed},
	{alone, overlay.TunnelGRE, summed},
	{alone, overlay.TunnelGRE, numbered},
	{alone, overlay.TunnelGRE, full},
	{alone, overlay.TunnelGRE, limited},
	{alone, overlay.TunnelIPIP, plain},
	{alone, overlay.TunnelSIT, plain},
	{alone, overlay.TunnelSIT, limited},
	{alone, overlay.TunnelUDP, inside4},
	{alone, overlay.TunnelUDP, inside6},

	{inBridged, overlay.TunnelVXLAN, plain},
	{inBridged, overlay.TunnelGeneve, plain},
	{inBridged, overlay.TunnelGRETAP, keyed},
	{inRouted, overlay.TunnelGRE, plain},
	{inRouted, overlay.TunnelGRE, full},
	{inRouted, overlay.TunnelIPIP, plain},
	{inRouted, overlay.TunnelSIT, plain},
	{inRouted, overlay.TunnelUDP, inside4},
}

func (s subject) String() string {
	return strings.TrimSpace(string(s.mode) + " " + string(s.form) + " " + string(s.option))
}

// network reports whether it is one of both hosts, and not a tunnel.
func (s subject) network() bool { return s.form == bridged || s.form == routed }

// attached reports whether it is a tunnel that is part of a network.
func (s subject) attached() bool { return s.form == inBridged || s.form == inRouted }

// kind is that of the network that it is, or is part of.
func (s subject) kind() overlay.NetworkKind {
	if s.form == bridged || s.form == inBridged {
		return overlay.Bridged
	}
	return overlay.Routed
}

// routes reports whether packets are routed between the two.
func (s subject) routes() bool { return s.form == routed || s.form == inRouted }

// encapsulation is the network's.
func (s subject) encapsulation() overlay.Encapsulation {
	if s.mode == overlay.TunnelGRETAP {
		return overlay.EncapGRE
	}
	return overlay.Encapsulation(s.mode)
}

// inside are the families of the packets that the two exchange.
func (s subject) inside() (all []overlay.Family) {
	for _, f := range families {
		other := s.option == inside4 && f == v6 || s.option == inside6 && f == v4
		if s.mode.Carries(f) && !other {
			all = append(all, f)
		}
	}
	return all
}

// hasChecksums, hasNumbers, hasKeys: its packets have GRE's.
func (s subject) hasChecksums() bool { return s.option == summed || s.option == full }
func (s subject) hasNumbers() bool   { return s.option == numbered || s.option == full }
func (s subject) hasKeys() bool {
	return s.option == keyed || s.option == full || s.network() && s.mode.IsGRE()
}
