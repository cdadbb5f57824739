package trace

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// tcpOptions says what is in the options of a TCP header (RFC 9293 section 3.2, RFC
// 7323, RFC 2018). It stops at what it cannot read.
func tcpOptions(b []byte) string {
	var said []string
	for len(b) > 0 && b[0] != 0 { // 0: end of options
		if b[0] == 1 { // no operation
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			said = append(said, "malformed")
			break
		}
		said = append(said, tcpOption(b[0], b[2:b[1]]))
		b = b[b[1]:]
	}
	return strings.Join(said, ", ")
}

func tcpOption(kind byte, value []byte) string {
	switch {
	case kind == 2 && len(value) == 2:
		return fmt.Sprintf("mss %d", binary.BigEndian.Uint16(value))
	case kind == 3 && len(value) == 1:
		return fmt.Sprintf("window scale %d", value[0])
	case kind == 4 && len(value) == 0:
		return "sack permitted"
	case kind == 5 && len(value)%8 == 0:
		return fmt.Sprintf("sack of %d ranges", len(value)/8)
	case kind == 8 && len(value) == 8:
		return fmt.Sprintf("timestamp %d echo %d", binary.BigEndian.Uint32(value), binary.BigEndian.Uint32(value[4:]))
	}
	return fmt.Sprintf("option %d", kind)
}
