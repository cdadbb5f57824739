package encap

import (
	"fmt"

	"weft/packet"
)

// A UDP payload that is an IP packet, and nothing else, is what flannel's udp backend
// sends (backend/udp/proxy_amd64.c, on port 8285) and Linux's "ip fou add … ipproto 4"
// takes. It says by the version of the packet inside what that is.

// ParseBare tells what a UDP payload is: an IPv4 or an IPv6 packet, or an error of package
// packet's. More than its version is the affair of who takes the packet apart.
func ParseBare(payload []byte) (packet.EtherType, error) {
	if len(payload) == 0 {
		return 0, fmt.Errorf("parse packet in udp: %w: 0 of %d bytes", packet.ErrShort, packet.IPv4MinLen)
	}
	inner := typeOf(payload)
	return inner, checkInner(inner, payload)
}

// typeOf goes by the version of an IP packet. What is not of version 6 has to be IPv4.
func typeOf(b []byte) packet.EtherType {
	if len(b) > 0 && b[0]>>4 == 6 {
		return packet.TypeIPv6
	}
	return packet.TypeIPv4
}
