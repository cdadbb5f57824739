package dataplanetest

import (
	"encoding/binary"
	"slices"

	"weft/packet"
)

// Pieces are two fragments of an IP packet, the first with so many bytes of payload, a multiple
// of 8 (RFC 791 section 3.2, RFC 8200 section 4.5).
func Pieces(ip []byte, first int, id uint16) [2][]byte {
	if isV4(ip) {
		h, payload, err := packet.ParseIPv4(ip)
		if err != nil {
			panic(err) // the suite has just built it
		}
		piece := func(offset int, flags packet.IPv4Flags, part []byte) []byte {
			h.ID, h.Flags, h.FragOffset, h.TotalLen = id, flags, uint16(offset), uint16(h.Len()+len(part))
			return append(h.Append(nil), part...)
		}
		return [2][]byte{piece(0, packet.MoreFragments, payload[:first]), piece(first, 0, payload[first:])}
	}
	h, payload, err := packet.ParseIPv6(ip)
	if err != nil {
		panic(err) // the suite has just built it
	}
	next := h.NextHeader
	piece := func(offset uint16, part []byte) []byte {
		header := binary.BigEndian.AppendUint16([]byte{byte(next), 0}, offset)
		header = binary.BigEndian.AppendUint32(header, uint32(id))
		h.NextHeader, h.PayloadLen = packet.ProtoFragment, uint16(len(header)+len(part))
		return slices.Concat(h.Append(nil), header, part)
	}
	const more = 1
	return [2][]byte{piece(more, payload[:first]), piece(uint16(first), payload[first:])}
}
