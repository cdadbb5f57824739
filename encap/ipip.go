package encap

import (
	"fmt"

	"weft/packet"
)

// An IP packet in an IP packet has no header between the two: the outer one's protocol
// says what is inside. With IPv4 outside these are RFC 2003 (IPv4 inside) and RFC 4213
// section 3 (IPv6 inside, what Linux calls sit); with IPv6 outside, RFC 2473.

// protocolOf is the IP protocol that carries packets of a type, TypeIPv4 or TypeIPv6.
func protocolOf(inner packet.EtherType) packet.Protocol {
	if inner == packet.TypeIPv6 {
		return packet.ProtoIPv6
	}
	return packet.ProtoIPv4
}

// checkInner refuses what cannot be an IP packet of the type. More than its version is
// the affair of who takes it apart.
func checkInner(inner packet.EtherType, b []byte) error {
	least, version := packet.IPv4MinLen, byte(4)
	if inner == packet.TypeIPv6 {
		least, version = packet.IPv6Len, 6
	}
	switch {
	case len(b) < least:
		return fmt.Errorf("parse %s inside: %w: %d of %d bytes", inner, packet.ErrShort, len(b), least)
	case b[0]>>4 != version:
		return fmt.Errorf("parse %s inside: %w: version %d", inner, packet.ErrMalformed, b[0]>>4)
	}
	return nil
}

// TunnelLimitLen is the length of a [TunnelLimit] in bytes.
const TunnelLimitLen = 8

// The options of a destination options header that are known here.
const (
	optionPad1  = 0 // RFC 8200 section 4.2
	optionPadN  = 1
	optionLimit = 4 // RFC 2473 section 4.1.1
)

// TunnelLimit is a Destination Options header with the tunnel encapsulation limit (RFC
// 2473 section 4.1.1), which Linux puts behind the outer IPv6 header of its tunnels. It
// may be there with padding alone.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |Hdr Ext Len = 0| Opt Type = 4  |Opt Data Len=1 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Tun Encap Lim |PadN Opt Type=1|Opt Data Len=1 |       0       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type TunnelLimit struct {
	Next     packet.Protocol
	HasLimit bool
	Limit    uint8 // of further encapsulations
}

// ParseTunnelLimit reads such a header; rest is what follows. Longer ones, and other
// options, are packet.ErrUnsupported.
func ParseTunnelLimit(b []byte) (h TunnelLimit, rest []byte, err error) {
	if len(b) < TunnelLimitLen {
		return h, nil, fmt.Errorf("parse tunnel limit: %w: %d of %d bytes", packet.ErrShort, len(b), TunnelLimitLen)
	}
	if b[1] != 0 {
		return h, nil, fmt.Errorf("parse tunnel limit: %w: length %d", packet.ErrUnsupported, b[1])
	}
	h.Next = packet.Protocol(b[0])
	for options := b[2:TunnelLimitLen]; len(options) > 0; {
		if options[0] == optionPad1 {
			options = options[1:]
			continue
		}
		if len(options) < 2 || len(options) < 2+int(options[1]) {
			return TunnelLimit{}, nil, fmt.Errorf("parse tunnel limit: %w: %x", packet.ErrMalformed, b[:TunnelLimitLen])
		}
		switch {
		case options[0] == optionLimit && options[1] == 1 && !h.HasLimit:
			h.HasLimit, h.Limit = true, options[2]
		case options[0] != optionPadN:
			return TunnelLimit{}, nil, fmt.Errorf("parse tunnel limit: %w: %x", packet.ErrUnsupported, b[:TunnelLimitLen])
		}
		options = options[2+int(options[1]):]
	}
	return h, b[TunnelLimitLen:], nil
}

// Append appends the header's 8 bytes.
func (h TunnelLimit) Append(b []byte) []byte {
	if !h.HasLimit {
		return append(b, byte(h.Next), 0, optionPadN, 4, 0, 0, 0, 0)
	}
	return append(b, byte(h.Next), 0, optionLimit, 1, h.Limit, optionPadN, 1, 0)
}
