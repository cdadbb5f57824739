package overlay

import (
	"fmt"
	"strings"
)

// DropReason says why a plane did not deliver a packet. It is a closed
// enumeration: trace, counters and the planes' contract share it.
type DropReason string

const (
	// DropNotMember: the outer source is no member of the network.
	DropNotMember DropReason = "not-member"
	// DropUnknownVNI: no network on this node has that VNI.
	DropUnknownVNI DropReason = "unknown-vni"
	// DropMalformed: the packet does not parse.
	DropMalformed DropReason = "malformed"
	// DropSpoofedMAC: the source MAC is not the port's.
	DropSpoofedMAC DropReason = "spoofed-mac"
	// DropSpoofedIP: the source address (or the ARP/ND sender) is not the port's.
	DropSpoofedIP DropReason = "spoofed-ip"
	// DropUnknownUnicast: no station has the destination MAC.
	DropUnknownUnicast DropReason = "unknown-unicast"
	// DropBUM: broadcast or multicast on a network with bum: none.
	DropBUM DropReason = "bum-none"
	// DropNoRoute: a routed network has no route to the destination address, or the host
	// none to the other node.
	DropNoRoute DropReason = "no-route"
	// DropTTL: the TTL or hop limit ran out.
	DropTTL DropReason = "ttl-exceeded"
	// DropTooBig: larger than the path takes; the sender was told by ICMP.
	DropTooBig DropReason = "too-big"
	// DropNoPort: the frame is for this node but no port has its destination.
	DropNoPort DropReason = "no-port"
	// DropLoop: it came from a remote VTEP and would go to one (split horizon).
	DropLoop DropReason = "split-horizon"
	// DropNotIP: a routed network carries IP only.
	DropNotIP DropReason = "not-ip"
	// DropStorm: more broadcast or multicast than a port may send to other nodes; those on
	// this node have got it.
	DropStorm DropReason = "storm-control"
	// DropFamily: the tunnel's mode carries IP packets of the other family.
	DropFamily DropReason = "wrong-family"
	// DropChecksum: GRE's checksum is wrong, missing, or not agreed on (RFC 2784 section 2.1).
	DropChecksum DropReason = "wrong-checksum"
	// DropSequence: a GRE packet came after a later one, or without a number (RFC 2890 section 2.2).
	DropSequence DropReason = "out-of-order"
	// DropFragment: a piece of a tunnel packet, of which the rest has not come, or not in order.
	DropFragment DropReason = "fragment"
)

// DropReasons lists the whole enumeration, in the order of the constants.
func DropReasons() []DropReason {
	return []DropReason{
		DropNotMember, DropUnknownVNI, DropMalformed, DropSpoofedMAC, DropSpoofedIP,
		DropUnknownUnicast, DropBUM, DropNoRoute, DropTTL, DropTooBig, DropNoPort, DropLoop, DropNotIP,
		DropStorm, DropFamily, DropChecksum, DropSequence, DropFragment,
	}
}

// Drops counts dropped packets by reason. A plane counts what it can tell apart.
type Drops map[DropReason]uint64

// String lists what was dropped, in the order of [DropReasons]: "not-member 5,
// spoofed-mac 3"; it is empty when nothing was.
func (d Drops) String() string {
	var words []string
	for _, why := range DropReasons() {
		if d[why] > 0 {
			words = append(words, fmt.Sprintf("%s %d", why, d[why]))
		}
	}
	return strings.Join(words, ", ")
}
