package dataplane

import (
	"time"

	"weft/overlay"
)

// DroppedPacket is a packet that a plane did not deliver. A plane shows so many of each
// reason; how many there were, the counters say.
type DroppedPacket struct {
	Time   time.Time          `json:"time"`
	Reason overlay.DropReason `json:"reason"`
	// VNI and Network are of the network that the packet belongs to: zero if it is none of
	// this node's, and empty if its name is not known.
	VNI     overlay.VNI         `json:"vni,omitempty"`
	Network overlay.NetworkName `json:"network,omitempty"`
	// Device is where the packet came in, and Port the endpoint whose that is; empty: not a
	// port.
	Device string               `json:"device"`
	Port   overlay.EndpointName `json:"port,omitempty"`
	// Length is that of the packet. Frame is how it began: as it came in, or, if the plane
	// had taken it out of a tunnel packet, as it was in there.
	Length int    `json:"length"`
	Frame  []byte `json:"frame"`
	// Hidden counts those that were dropped for the same reason before this one and were
	// not shown: they were too many, or nobody read them.
	Hidden int `json:"hidden,omitempty"`
}

// Dropped are packets that a plane dropped, the oldest first.
type Dropped struct {
	Packets []DroppedPacket `json:"packets"`
	// Last is the number of the newest packet that the plane knows of, whatever network it
	// is of; asking for those after it goes on from here.
	Last uint64 `json:"last"`
	// Forgotten counts packets after those that were asked for that the plane does not
	// remember any more.
	Forgotten uint64 `json:"forgotten,omitempty"`
}
