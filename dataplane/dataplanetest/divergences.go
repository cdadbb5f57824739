package dataplanetest

import (
	"bytes"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// Divergence is a kind of frame of which the contract says nothing, and with which the kernel
// plane and the eBPF plane do different things.
type Divergence struct {
	Name string
	// Why says what each does, and who allows it.
	Why string
	// covers reports whether a frame is of that kind.
	covers func(in arrival) bool
}

// Divergences is all that the two planes do differently beyond [Differences]. ICMP errors and
// redirects of such frames may be missing, too: how many of them a host sends is its own choice.
func Divergences() []Divergence {
	return []Divergence{
		{"IP or ARP that does not parse, on a bridged network", "the kernel's bridge looks at both for its firewall, and drops it (br_netfilter); programs are a switch, and pass it on",
			func(in arrival) bool { return in.bridged && in.claims && !in.parses }},
		{"a source that no station has, on a routed network", "a kernel without a bridge does not look at it; programs refuse it as everywhere (IEEE 802.3 clause 3.2.3)",
			func(in arrival) bool { return in.routed && isNobody(in.frame.Src) }},
		{"a group's MAC around a packet to one host", "the kernel takes it for itself, and routes no such packet (RFC 1812 section 5.3.4); programs drop it at once",
			func(in arrival) bool { return in.routed && packet.IsGroup(in.frame.Dst) }},
		{"VLAN tags on a routed network, and around ARP and ND", "the kernel takes what has a priority tag for untagged (IEEE 802.1Q 6.9.1); to programs a tag is none of their networks",
			func(in arrival) bool { return in.tagged }},
		{"extension headers and options", "a router need not look at hop-by-hop options (RFC 8200 section 4), and the kernel drops those that it does not know; a host takes tunnel packets that have them, and programs leave them to the host, which then does not know them for members'",
			func(in arrival) bool { return in.extended }},
		{"fragments of tunnel packets", "the host puts them together first; what it never gets all of nobody has",
			func(in arrival) bool { return in.fragment }},
		{"a UDP length of zero over IPv6", "the kernel takes it for a jumbogram's (RFC 2675 section 4); programs for malformed",
			func(in arrival) bool { return in.jumbo }},
		{"a link-local source beyond the tunnel of a routed network", "no router forwards it (RFC 4291 section 2.5.6); the kernel does when it came by a tunnel",
			func(in arrival) bool { return in.routed && in.linkLocal }},
		{"a bad checksum in ND", "it is answered by its content: links here have no bit errors",
			func(in arrival) bool { return in.nd && !in.checked }},
	}
}

// arrival is a frame that comes in, as far as divergences tell kinds apart.
type arrival struct {
	frame           frame // inside the tunnel, if it comes from there
	bridged, routed bool  // the network that it is in, if there is one
	tagged          bool
	// claims: its type says that it is IP or ARP; parses: it is.
	claims, parses bool
	// extended: there are options or extension headers, in the packet or outside.
	extended  bool
	fragment  bool // of a tunnel packet
	jumbo     bool // a tunnel packet says so
	linkLocal bool // a source
	nd        bool
	checked   bool // its ICMPv6 checksum is right
}

// arrival takes apart what comes in.
func (s *scene) arrival(in wild) arrival {
	a, b := arrival{}, in.bytes
	n := s.state.Networks[in.at.Network]
	if in.at == Underlay {
		outer, err := parseIP(b)
		if err != nil {
			return a
		}
		a.extended, a.fragment, a.jumbo = outer.isExtended(), !outer.whole, outer.isJumbo()
		o, inner, err := encap.Unwrap(overlay.EncapVXLAN, outer.bytes, overlay.DefaultVXLANPort)
		if err != nil {
			return a
		}
		b, n = inner, s.withVNI(o.VNI)
	}
	eth, body, err := packet.ParseEthernet(b)
	if err != nil {
		return a
	}
	a.frame, a.bridged, a.routed = frame{eth, body, b}, n.Kind == overlay.Bridged, n.Kind == overlay.Routed
	a.look()
	return a
}

func (s *scene) withVNI(vni overlay.VNI) dataplane.Network {
	for _, n := range s.state.Networks {
		if n.VNI == vni {
			return n
		}
	}
	return dataplane.Network{}
}

// look looks at what is in the frame.
func (a *arrival) look() {
	a.tagged = a.frame.Type.IsVLAN()
	switch a.frame.Type {
	case packet.TypeARP:
		_, _, err := packet.ParseARP(a.frame.body)
		a.claims, a.parses = true, err == nil
	case packet.TypeIPv4, packet.TypeIPv6:
		a.claims = true
		p, ok := a.frame.ip()
		if !ok {
			return
		}
		a.parses = (a.frame.Type == packet.TypeIPv4) == p.dst.Is4()
		a.extended = a.extended || p.isExtended()
		a.linkLocal = p.src.IsLinkLocalUnicast()
		if p.proto == packet.ProtoICMPv6 {
			_, _, err := packet.ParseND(p.payload)
			a.nd = err == nil
			a.checked = packet.TransportChecksum(p.src, p.dst, p.proto, p.payload) == 0
		}
	}
}

// isJumbo reports whether it is UDP over IPv6 of which the length is zero.
func (p ipPacket) isJumbo() bool {
	return p.dst.Is6() && p.proto == packet.ProtoUDP && len(p.payload) >= packet.UDPLen && p.payload[4] == 0 && p.payload[5] == 0
}

// isExtended reports whether there are options in the header, or extension headers behind it.
func (p ipPacket) isExtended() bool {
	if p.dst.Is4() {
		return len(p.bytes)-len(p.payload) > packet.IPv4MinLen
	}
	switch p.proto {
	case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoDestOptions, packet.ProtoFragment:
		return true
	}
	return false
}

func (s *scene) diverges(in wild) bool {
	a := s.arrival(in)
	for _, d := range Divergences() {
		if d.covers(a) {
			return true
		}
	}
	return false
}

// unpadded is a delivery without what stood behind the IP packet, which the kernel's firewall
// takes off, and a router has to (RFC 894), and a switch need not; and without the zeros
// that programs have to put behind what is shorter than an IP header.
func unpadded(d Delivery) Delivery {
	if d.At != Underlay {
		d.Bytes = withoutPadding(d.Bytes)
		return d
	}
	if o, inner, err := readTunnel(d.Bytes); err == nil && o.Inner == packet.TypeTEB {
		d.Bytes = encap.Wrap(o, withoutPadding(inner))
	}
	return d
}

func withoutPadding(b []byte) []byte {
	const short = packet.EthernetLen + packet.IPv4MinLen
	f, err := parseFrame(b)
	if err != nil {
		return b
	}
	if p, ok := f.ip(); ok {
		return b[:packet.EthernetLen+len(p.bytes)]
	}
	if len(b) <= short {
		return b[:packet.EthernetLen+len(bytes.TrimRight(f.body, "\x00"))]
	}
	return b
}
