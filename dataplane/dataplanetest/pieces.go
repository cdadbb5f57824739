package dataplanetest

import (
	"encoding/binary"
	"slices"

	"weft/packet"
)

// Pieces are the fragments of an IP packet, each but the last with so many bytes of payload, a
// multiple of 8 (RFC 791 section 3.2, RFC 8200 section 4.5).
func Pieces(ip []byte, size int, id uint16) (all [][]byte) {
	piece, payload := pieceOf(ip, id)
	for at := 0; at < len(payload); at += size {
		end := min(at+size, len(payload))
		all = append(all, piece(payload[at:end], at, end < len(payload)))
	}
	return all
}

// pieceOf makes fragments of a packet, of its payload.
func pieceOf(ip []byte, id uint16) (piece func(part []byte, at int, more bool) []byte, payload []byte) {
	if isV4(ip) {
		h, payload, err := packet.ParseIPv4(ip)
		if err != nil {
			panic(err) // the suite has just built it
		}
		return func(part []byte, at int, more bool) []byte {
			h.ID, h.Flags, h.FragOffset, h.TotalLen = id, 0, uint16(at), uint16(h.Len()+len(part))
			if more {
				h.Flags = packet.MoreFragments
			}
			return append(h.Append(nil), part...)
		}, payload
	}
	h, payload, err := packet.ParseIPv6(ip)
	if err != nil {
		panic(err) // the suite has just built it
	}
	next := h.NextHeader
	return func(part []byte, at int, more bool) []byte {
		if more {
			at |= 1
		}
		header := binary.BigEndian.AppendUint16([]byte{byte(next), 0}, uint16(at))
		header = binary.BigEndian.AppendUint32(header, uint32(id))
		h.NextHeader, h.PayloadLen = packet.ProtoFragment, uint16(len(header)+len(part))
		return slices.Concat(h.Append(nil), header, part)
	}, payload
}
