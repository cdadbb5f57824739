package dataplanetest

import (
	"encoding/binary"

	"weft/packet"
)

// tooBigNotice tells a sender what fits (RFC 1191 section 4, RFC 4443 section 3.2);
// nil where the RFCs forbid an answer.
func tooBigNotice(back packet.Ends, mtu int, p ipPacket) []byte {
	var b []byte
	var err error
	if p.dst.Is4() {
		b, err = packet.FragNeeded(back, uint16(mtu), p.bytes)
	} else {
		b, err = packet.PacketTooBig(back, uint32(mtu), p.bytes)
	}
	if err != nil {
		return nil
	}
	return b
}

// codeBeyondScope: "beyond scope of source address" (RFC 4443 section 3.1).
const codeBeyondScope = 2

// beyondScope is Unreachable for a packet that may not leave its link.
func beyondScope(back packet.Ends, offending []byte) ([]byte, error) {
	b, err := packet.Unreachable(back, offending)
	if err != nil {
		return nil, err
	}
	message := b[packet.EthernetLen+packet.IPv6Len:]
	message[1] = codeBeyondScope
	binary.BigEndian.PutUint16(message[2:], 0)
	return icmpv6(back, message), nil
}

// fragment cuts an IPv4 packet into pieces of at most mtu bytes (RFC 791 section
// 2.3): all but the last carry as many whole units of 8 bytes as fit.
func fragment(ip []byte, mtu int) [][]byte {
	h, payload, err := packet.ParseIPv4(ip)
	if err != nil {
		return nil
	}
	var pieces [][]byte
	last := h.Flags&packet.MoreFragments == 0
	for unit := (mtu - h.Len()) &^ 7; len(payload) > 0; {
		n := min(unit, len(payload))
		if mtu-h.Len() >= len(payload) {
			n = len(payload)
		}
		h.TotalLen = uint16(h.Len() + n)
		h.Flags |= packet.MoreFragments
		if n == len(payload) && last {
			h.Flags &^= packet.MoreFragments
		}
		pieces = append(pieces, append(h.Append(nil), payload[:n]...))
		h.FragOffset += uint16(n)
		payload = payload[n:]
	}
	return pieces
}
