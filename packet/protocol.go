package packet

import "strconv"

// Protocol is an IP protocol number: IPv4's protocol, IPv6's next header.
type Protocol uint8

// The protocols that Weft meets (IANA protocol numbers).
const (
	ProtoHopByHop    Protocol = 0 // IPv6 extension header
	ProtoICMP        Protocol = 1
	ProtoIPv4        Protocol = 4 // an IPv4 packet
	ProtoTCP         Protocol = 6
	ProtoUDP         Protocol = 17
	ProtoIPv6        Protocol = 41 // an IPv6 packet
	ProtoRouting     Protocol = 43 // IPv6 extension header
	ProtoFragment    Protocol = 44 // IPv6 extension header
	ProtoGRE         Protocol = 47
	ProtoICMPv6      Protocol = 58
	ProtoNone        Protocol = 59 // nothing follows
	ProtoDestOptions Protocol = 60 // IPv6 extension header
)

// String returns the name, or the number.
func (p Protocol) String() string {
	switch p {
	case ProtoHopByHop:
		return "hop-by-hop"
	case ProtoICMP:
		return "ICMP"
	case ProtoIPv4:
		return "IPv4"
	case ProtoTCP:
		return "TCP"
	case ProtoUDP:
		return "UDP"
	case ProtoIPv6:
		return "IPv6"
	case ProtoRouting:
		return "routing"
	case ProtoFragment:
		return "fragment"
	case ProtoGRE:
		return "GRE"
	case ProtoICMPv6:
		return "ICMPv6"
	case ProtoNone:
		return "none"
	case ProtoDestOptions:
		return "destination options"
	}
	return strconv.Itoa(int(p))
}
