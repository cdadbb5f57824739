package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weft/overlay"
)

// KindTun is a TUN device with several queues: what is routed to it a program gets, and puts
// in what is to be routed further. It is there whether the program is or not.
const KindTun LinkKind = "tun"

// Carried is what the user plane's forwarder does with a TUN link: what comes out of it goes
// to peers in tunnel packets, and what these send goes in.
type Carried struct {
	Encapsulation overlay.Encapsulation `json:"encapsulation"`
	// Local is the outer source address, with the port of both ends.
	Local netip.AddrPort `json:"local"`
	// Peers are those from which packets are taken, in ascending order.
	Peers []netip.Addr `json:"peers,omitempty"`
	// Routes say to which peer packets go, by the longest prefix; they are in ascending order.
	Routes []CarriedRoute `json:"routes,omitempty"`
	// TTL, TOS and Fragment (outer IPv4 packets have no DF) are those of outer headers; of the
	// zero TOS the lower two bits are inherited (RFC 6040), and with InheritTOS all of it.
	TTL        overlay.TTL `json:"ttl,omitzero"`
	TOS        overlay.TOS `json:"tos,omitzero"`
	InheritTOS bool        `json:"inheritTOS,omitempty"`
	Fragment   bool        `json:"fragment,omitempty"`
	// NoChecksum sends without a UDP checksum.
	NoChecksum bool `json:"noChecksum,omitempty"`
	// Broken is why the forwarder does not do it, and empty in what is wanted.
	Broken string `json:"broken,omitempty"`
	// PortTaken: that is because another program has the port.
	PortTaken bool `json:"portTaken,omitempty"`
}

// CarriedRoute leads to a peer.
type CarriedRoute struct {
	Prefix netip.Prefix `json:"prefix"`
	Peer   netip.Addr   `json:"peer"`
}

// Equal compares all fields.
func (c Carried) Equal(o Carried) bool {
	peers, routes := slices.Equal(c.Peers, o.Peers), slices.Equal(c.Routes, o.Routes)
	same := c.TTL == o.TTL && c.TOS == o.TOS && c.InheritTOS == o.InheritTOS && c.Fragment == o.Fragment && c.NoChecksum == o.NoChecksum
	return c.Encapsulation == o.Encapsulation && c.Local == o.Local && peers && routes && same && c.Broken == o.Broken
}

// setCarried has the forwarder carry for a link.
type setCarried struct {
	ID   LinkID
	Want Carried
	// Why: what is there instead of it, if that is broken.
	Why string
}

func (o setCarried) String() string {
	why := ""
	if o.Why != "" {
		why = ": " + o.Why
	}
	return fmt.Sprintf("weftd forward: %s in %s, %s from %s to %d peers by %d routes%s",
		o.ID.Name, o.ID.NS.label(), o.Want.Encapsulation, o.Want.Local, len(o.Want.Peers), len(o.Want.Routes), why)
}

// lines are for people: no command does it.
func (o setCarried) lines() []string {
	lines := []string{fmt.Sprintf("# weftd forward carries what %s in %s has, in %s from %s, and takes what %s send:",
		o.ID.Name, o.ID.NS.label(), o.Want.Encapsulation, o.Want.Local, addressNames(o.Want.Peers))}
	for _, r := range o.Want.Routes {
		lines = append(lines, fmt.Sprintf("#   %s to %s", r.Prefix, netip.AddrPortFrom(r.Peer, o.Want.Local.Port())))
	}
	return lines
}

func addressNames(all []netip.Addr) string {
	if len(all) == 0 {
		return "no peers"
	}
	var names []string
	for _, a := range all {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}

// dropCarried has the forwarder let go of a link.
type dropCarried struct{ ID LinkID }

func (o dropCarried) String() string {
	return fmt.Sprintf("weftd forward: nothing more of %s in %s", o.ID.Name, o.ID.NS.label())
}
