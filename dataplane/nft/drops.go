package nft

import "weft/overlay"

// Counts are the packets that a namespace's counters have counted, by name.
type Counts map[Family]map[string]uint64

// Domain is what was dropped in a network's domain, by reason.
func (c Counts) Domain() map[overlay.DropReason]uint64 {
	drops := map[overlay.DropReason]uint64{}
	for _, f := range []Family{Bridge, Netdev} {
		for _, why := range []overlay.DropReason{overlay.DropSpoofedMAC, overlay.DropSpoofedIP, overlay.DropStorm} {
			if n, ok := c[f][string(why)]; ok {
				drops[why] += n
			}
		}
	}
	return drops
}

// Strangers is how many of a network's packets were dropped on the host because
// they came from no member; false if nobody counts them.
func (c Counts) Strangers(n overlay.NetworkName) (packets uint64, ok bool) {
	packets, ok = c[INet][strangers+string(n)]
	return packets, ok
}

// Host is what came to the host's tunnels and was no network's, by reason.
func (c Counts) Host() map[overlay.DropReason]uint64 {
	drops := map[overlay.DropReason]uint64{}
	for _, why := range []overlay.DropReason{overlay.DropUnknownVNI, overlay.DropMalformed} {
		if n, ok := c[INet][string(why)]; ok {
			drops[why] = n
		}
	}
	return drops
}

// Reasons are those that filters tell apart. Malformed packets are not among them: of
// these most are dropped by the kernel.
func Reasons() []overlay.DropReason {
	return []overlay.DropReason{
		overlay.DropNotMember, overlay.DropUnknownVNI, overlay.DropSpoofedMAC, overlay.DropSpoofedIP,
		overlay.DropStorm,
	}
}
