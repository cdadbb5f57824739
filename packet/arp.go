package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ARPLen is the length of an ARP packet for IPv4 over Ethernet in bytes.
const ARPLen = 28

// ARPOp is what an ARP packet wants.
type ARPOp uint16

const (
	ARPRequest ARPOp = 1
	ARPReply   ARPOp = 2
)

// String returns "request", "reply" or the number.
func (o ARPOp) String() string {
	switch o {
	case ARPRequest:
		return "request"
	case ARPReply:
		return "reply"
	}
	return fmt.Sprintf("op %d", uint16(o))
}

// ARP is an ARP packet for IPv4 over Ethernet (RFC 826).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       hardware type = 1       |     protocol type = 0x0800    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   hlen = 6    |   plen = 4    |           operation           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          sender MAC                           |
//	+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |           sender IP           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+           target MAC          +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           target IP                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ARP struct {
	Op        ARPOp
	SenderMAC [6]byte
	SenderIP  netip.Addr
	TargetMAC [6]byte // zero in a request
	TargetIP  netip.Addr
}

// arpPrefix is the fixed part: Ethernet, IPv4 and their address lengths.
var arpPrefix = [6]byte{0, 1, 8, 0, 6, 4}

// ParseARP reads an ARP packet; rest is the Ethernet padding, if any. ARP for
// anything but IPv4 over Ethernet is [ErrUnsupported].
func ParseARP(b []byte) (h ARP, rest []byte, err error) {
	if len(b) < ARPLen {
		return h, nil, errShort("arp", len(b), ARPLen)
	}
	if [6]byte(b) != arpPrefix {
		return h, nil, errARPKind(b)
	}
	h.Op = ARPOp(binary.BigEndian.Uint16(b[6:]))
	h.SenderMAC = [6]byte(b[8:14])
	h.SenderIP = netip.AddrFrom4([4]byte(b[14:18]))
	h.TargetMAC = [6]byte(b[18:24])
	h.TargetIP = netip.AddrFrom4([4]byte(b[24:28]))
	return h, b[ARPLen:], nil
}

// Append appends the packet's 28 bytes.
func (h ARP) Append(b []byte) []byte {
	sender, target := as4(h.SenderIP), as4(h.TargetIP)
	b = append(b, arpPrefix[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Op))
	b = append(b, h.SenderMAC[:]...)
	b = append(b, sender[:]...)
	b = append(b, h.TargetMAC[:]...)
	return append(b, target[:]...)
}

func errARPKind(b []byte) error {
	return fmt.Errorf("parse arp: %w: hardware, protocol and lengths are %x, want %x",
		ErrUnsupported, b[:len(arpPrefix)], arpPrefix[:])
}
