package trace

import "weft/packet"

// codeV4 says what the code of an ICMP error means (RFC 792, RFC 1122, RFC 1812);
// empty if it means nothing.
func codeV4(h packet.ICMPv4) string {
	switch h.Type {
	case packet.ICMPv4Unreachable:
		return map[uint8]string{
			0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable",
			3: "port unreachable", 4: "fragmentation needed", 5: "source route failed",
			9: "network prohibited", 10: "host prohibited", 13: "communication prohibited",
		}[h.Code]
	case packet.ICMPv4TimeExceeded:
		return map[uint8]string{0: "ttl exceeded in transit", 1: "reassembly time exceeded"}[h.Code]
	}
	return ""
}

// codeV6 is codeV4 for ICMPv6 (RFC 4443 section 3).
func codeV6(h packet.ICMPv6) string {
	switch h.Type {
	case packet.ICMPv6Unreachable:
		return map[uint8]string{
			0: "no route to destination", 1: "communication prohibited", 2: "beyond scope of source address",
			3: "address unreachable", 4: "port unreachable", 5: "source address failed policy", 6: "route rejected",
		}[h.Code]
	case packet.ICMPv6TimeExceeded:
		return map[uint8]string{0: "hop limit exceeded in transit", 1: "reassembly time exceeded"}[h.Code]
	case packet.ICMPv6ParameterProblem:
		return map[uint8]string{0: "erroneous header field", 1: "unknown next header", 2: "unknown option"}[h.Code]
	}
	return ""
}
