package trace

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	pcapMagicNanoseconds = 0xa1b23c4d
	pcapSnapLen          = 262144 // what tcpdump writes: no limit
	pcapEthernet         = 1
)

// PcapWriter writes frames as a pcap file (draft-ietf-opsawg-pcap), which tcpdump and
// Wireshark read. Each frame is one Write, so a reader of a pipe can follow.
type PcapWriter struct{ w io.Writer }

// NewPcapWriter writes the file's header:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Magic Number                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Major Version        |         Minor Version         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Reserved (8 bytes)                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            SnapLen                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           LinkType                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	b := binary.LittleEndian.AppendUint32(nil, pcapMagicNanoseconds)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, pcapSnapLen)
	b = binary.LittleEndian.AppendUint32(b, pcapEthernet)
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("write pcap header: %w", err)
	}
	return &PcapWriter{w}, nil
}

// Write writes a frame behind its time, its length here and on the wire.
func (p *PcapWriter) Write(f Frame) error {
	b := make([]byte, 0, 16+len(f.Data))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Time.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Time.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(max(f.Length, len(f.Data))))
	b = append(b, f.Data...)
	if _, err := p.w.Write(b); err != nil {
		return fmt.Errorf("write pcap frame: %w", err)
	}
	return nil
}
