package trace

import "time"

// Direction is which way a frame passed the interface.
type Direction string

const (
	In  Direction = "in"
	Out Direction = "out"
)

// Frame is a captured Ethernet frame. Whoever gets one owns its Data.
type Frame struct {
	Time      time.Time `json:"time"`
	Interface string    `json:"interface"`
	Direction Direction `json:"direction"`
	// Length is the frame's on the wire, in bytes; Data may be cut shorter.
	Length int `json:"length"`
	// Data is the frame from its Ethernet header on, VLAN tag included, without
	// FCS. On the host that sends it, checksums left to the device are not
	// filled in yet.
	Data []byte `json:"data"`
}
