package nft

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"weft/overlay"
)

// Field is a part of a packet, or something known about it, that rules compare.
type Field uint8

// Fields, as nft(8) names them.
const (
	noField Field = iota
	InputDevice
	OutputDevice
	InputType  // ARPHRD
	PacketType // to whom a frame is addressed, as its receiver sees it (linux/if_packet.h)
	Mark       // that something on this host has put on a packet
	Protocol   // of a frame: EtherType
	NetworkProtocol
	TransportProtocol
	EtherSource
	ARPSenderMAC
	ARPSenderIP
	IPSource
	IPDestination
	IPTTL
	IP6Source
	IP6Destination
	IP6HopLimit
	FragmentHeader // 1 if the packet has that IPv6 extension header
	UDPPorts       // source and destination
	UDPDestination
	ICMPv6Type
	NDTarget       // RFC 4861 section 4.3 and 4.4
	VXLANFlags     // with the reserved bits behind (RFC 7348 section 5)
	VXLANVNI       // RFC 7348 section 5
	VXLANReserved2 // the reserved byte behind the VNI
)

// header is where in a packet a field is.
type header uint8

// The headers, with the values of enum nft_payload_bases but for meta and extension.
const (
	linkHeader header = iota
	networkHeader
	transportHeader
	meta      // not in the packet
	extension // an IPv6 extension header
)

// kind is a field's type of values.
type kind uint8

const (
	noKind kind = iota
	ifname
	etherAddress
	etherType
	ipv4Address
	ipv6Address
	transport
	port
	networkFamily
	integer // in nft, it has a length only by the expression that loads it
	verdict // in maps
)

// kinds has for each what nft(8) calls it, how many bytes a value has, and the
// number of the type in nft's own numbering (include/datatype.h), by which it
// knows again what a set holds.
var kinds = map[kind]struct {
	name   string
	length int
	number uint32
}{
	ifname:        {"ifname", 16, 41},
	etherAddress:  {"ether_addr", 6, 9},
	etherType:     {"ether_type", 2, 10},
	ipv4Address:   {"ipv4_addr", 4, 7},
	ipv6Address:   {"ipv6_addr", 16, 8},
	transport:     {"inet_proto", 1, 12},
	port:          {"inet_service", 2, 13},
	networkFamily: {"nf_proto", 1, 2},
	integer:       {"integer", 0, 4},
	verdict:       {"verdict", 0, 0xffffff00}, // NFT_DATA_VERDICT
}

// field describes a Field.
type field struct {
	text   string
	kind   kind
	header header
	// offset and length in bytes, of a field in a header; in meta, offset is
	// the key (enum nft_meta_keys), in an extension the header's number.
	offset, length int
}

var fields = [...]field{
	InputDevice:       {"iifname", ifname, meta, 6, 16},
	OutputDevice:      {"oifname", ifname, meta, 7, 16},
	InputType:         {"meta iiftype", integer, meta, 8, 2},
	PacketType:        {"meta pkttype", integer, meta, 19, 1},
	Mark:              {"meta mark", integer, meta, 3, 4},
	Protocol:          {"meta protocol", etherType, meta, 1, 2},
	NetworkProtocol:   {"meta nfproto", networkFamily, meta, 15, 1},
	TransportProtocol: {"meta l4proto", transport, meta, 16, 1},
	EtherSource:       {"ether saddr", etherAddress, linkHeader, 6, 6},
	ARPSenderMAC:      {"arp saddr ether", etherAddress, networkHeader, 8, 6},
	ARPSenderIP:       {"arp saddr ip", ipv4Address, networkHeader, 14, 4},
	IPSource:          {"ip saddr", ipv4Address, networkHeader, 12, 4},
	IPDestination:     {"ip daddr", ipv4Address, networkHeader, 16, 4},
	IPTTL:             {"ip ttl", integer, networkHeader, 8, 1},
	IP6Source:         {"ip6 saddr", ipv6Address, networkHeader, 8, 16},
	IP6Destination:    {"ip6 daddr", ipv6Address, networkHeader, 24, 16},
	IP6HopLimit:       {"ip6 hoplimit", integer, networkHeader, 7, 1},
	FragmentHeader:    {"exthdr frag", integer, extension, 44, 1},
	UDPPorts:          {"udp", integer, transportHeader, 0, 4},
	UDPDestination:    {"udp dport", port, transportHeader, 2, 2},
	ICMPv6Type:        {"icmpv6 type", integer, transportHeader, 0, 1},
	NDTarget:          {"@th,64,128", integer, transportHeader, 8, 16},
	VXLANFlags:        {"@th,64,32", integer, transportHeader, 8, 4},
	VXLANVNI:          {"@th,96,24", integer, transportHeader, 12, 3},
	VXLANReserved2:    {"@th,120,8", integer, transportHeader, 15, 1},
}

func (f Field) String() string { return fields[f].text }

// room is how many bytes a field takes in a key: registers have 4.
func (f Field) room() int { return pad(fields[f].length) }

func pad(n int) int { return (n + 3) &^ 3 }

// Protocol numbers that rules compare with, as they are in the field.
const (
	protocolIP   = "\x08\x00"
	protocolARP  = "\x08\x06"
	protocolIPv6 = "\x86\xdd"
	protocolVLAN = "\x81\x00"
	protocolQinQ = "\x88\xa8"

	toOther = "\x03" // PACKET_OTHERHOST

	familyIPv4 = "\x02" // NFPROTO_IPV4
	familyIPv6 = "\x0a"

	transportUDP    = "\x11"
	transportICMPv6 = "\x3a"
)

// words are what nft(8) calls some values.
var words = map[Field]map[string]string{
	Protocol: {
		protocolIP: "ip", protocolARP: "arp", protocolIPv6: "ip6", protocolVLAN: "8021q", protocolQinQ: "8021ad",
	},
	InputType:         {typeEthernet: "ether"},
	PacketType:        {toOther: "other"},
	Mark:              {ofMember: "0x77656d62", ofStorm: "0x77657374"},
	NetworkProtocol:   {familyIPv4: "ipv4", familyIPv6: "ipv6"},
	TransportProtocol: {transportUDP: "udp", transportICMPv6: "ipv6-icmp"},
	FragmentHeader:    {"\x01": "exists"},
	UDPPorts:          {portsDHCP: "sport 68 udp dport 67"},
	ICMPv6Type:        {neighborAdvertisement: "nd-neighbor-advert"},
}

// Values in the host's order of bytes.
var (
	typeEthernet = string(binary.NativeEndian.AppendUint16(nil, 1)) // ARPHRD_ETHER
	// ofMember is what the eBPF plane's programs put on a tunnel packet whose sender they have
	// found among the members (MARK_MEMBER in dataplane/ebpf/bpf/verdict.h).
	ofMember = string(binary.NativeEndian.AppendUint32(nil, 0x77656d62))
	// ofStorm is what storm control puts on a frame that is to stay on the node.
	ofStorm = string(binary.NativeEndian.AppendUint32(nil, 0x77657374))
)

const (
	portsDHCP             = "\x00\x44\x00\x43" // from a client to a server (RFC 2131 section 4.1)
	neighborAdvertisement = "\x88"             // RFC 4861 section 4.4
)

// print prints a value of the field as nft(8) reads it.
func (f Field) print(v string) string {
	if w, ok := words[f][v]; ok {
		return w
	}
	return fields[f].kind.print(v)
}

func (k kind) print(v string) string {
	switch k {
	case ifname:
		if len(v) < kinds[k].length { // the beginning of a name
			v += "*"
		}
		return strconv.Quote(strings.TrimRight(v, "\x00"))
	case etherAddress:
		return overlay.MAC([]byte(v)).String()
	case ipv4Address, ipv6Address:
		a, _ := netip.AddrFromSlice([]byte(v))
		return a.String()
	case port:
		return strconv.Itoa(int(binary.BigEndian.Uint16([]byte(v))))
	case verdict:
		return v
	}
	if len(v) == 1 {
		return strconv.Itoa(int(v[0]))
	}
	return "0x" + hex.EncodeToString([]byte(v))
}
