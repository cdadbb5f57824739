package dataplanetest

import "weft/packet"

// Divergence is a kind of frame of which the contract says nothing, and with which the kernel
// plane and the eBPF plane do different things.
type Divergence struct {
	Name string
	// Why says what each does, and who allows it.
	Why string
	// covers reports whether a frame is of that kind.
	covers func(in arrival) bool
	// kernel and programs tell what the one plane delivers of such a frame that the other one
	// does not; nil: nothing.
	kernel, programs func(in arrival, d Delivery) bool
}

// Divergences is all that the two planes do differently beyond [Differences]. ICMP errors and
// redirects about what came in may be missing, too: how many of them a host sends is its own
// choice.
func Divergences() []Divergence {
	return []Divergence{
		{Name: "IP or ARP that does not parse, on a bridged network",
			Why:      "the kernel's bridge looks at both for its firewall, and drops it (br_netfilter); programs are a switch, and pass it on",
			covers:   func(in arrival) bool { return in.bridged && in.claims && !in.parses },
			programs: asItCame},
		{Name: "IPv4 options and hop-by-hop options, on a bridged network",
			Why:      "the kernel's bridge drops what its firewall does not understand (br_netfilter); programs are a switch, and pass it on",
			covers:   func(in arrival) bool { return in.bridged && !in.tagged && in.isIP && in.packet.hasOptions() },
			programs: asItCame},
		{Name: "a source that no station has, on a routed network",
			Why:    "a kernel without a bridge does not look at it; programs refuse it as everywhere (IEEE 802.3 clause 3.2.3)",
			covers: func(in arrival) bool { return in.routed && isNobody(in.frame.Src) },
			kernel: either(goesOn, isAnswer)},
		{Name: "a group's MAC around a packet to one host",
			Why: "the kernel takes it for itself, answers, and routes no such packet (RFC 1812 section 5.3.4); programs drop it at once",
			covers: func(in arrival) bool {
				return in.routed && in.isIP && packet.IsGroup(in.frame.Dst) && !in.packet.dst.IsMulticast()
			},
			kernel: isAnswer},
		{Name: "priority tags, on a routed network",
			Why:    "the kernel takes what has one for untagged (IEEE 802.1Q 6.9.1); to programs a tag is none of their networks",
			covers: func(in arrival) bool { return in.routed && in.tagged && in.vid == 0 },
			kernel: either(goesOn, isAnswer)},
		{Name: "ARP and ND behind a tag, on a bridged network",
			Why:      "the kernel's bridge answers and suppresses it as if there was none; to programs it is a frame for all",
			covers:   func(in arrival) bool { return in.bridged && in.tagged && in.asks },
			kernel:   isAnswer,
			programs: asItCame},
		{Name: "a tag that is cut off, or an IP packet behind one",
			Why:      "the kernel takes tags out to look at what is behind (skb_vlan_untag), its vxlan device wants to see a header whole (skb_vlan_inet_prepare), and each plane's filter sees what it needs of the rest; no receiver takes such a packet",
			covers:   func(in arrival) bool { return in.bridged && in.cut },
			kernel:   asItCame,
			programs: asItCame},
		{Name: "what is too large for the tunnel, and nobody can be told",
			Why: "the kernel cuts the tunnel packet into pieces, programs drop it",
			covers: func(in arrival) bool {
				return in.isTooLarge() && (in.tagged || !in.isIP || packet.IsGroup(in.frame.Dst))
			},
			kernel: isPiece},
		{Name: "extension headers in what is too large for the tunnel, on a bridged network",
			Why: "the kernel looks behind them, but counts from the wrong place (iptunnel_pmtud_check_icmpv6, from the Ethernet header), and if it finds nothing there cuts the tunnel packet; programs have the gateway tell the sender",
			covers: func(in arrival) bool {
				return in.isTooLarge() && in.isIP && in.packet.dst.Is6() && in.packet.isExtended()
			},
			kernel: isPiece},
		{Name: "what is too large for the tunnel, from behind a segment port",
			Why:      "to tell the sender, the gateway of programs has to look for it; the kernel's bridge answers in the name of who is sent to",
			covers:   func(in arrival) bool { return in.isTooLarge() && in.isIP && in.segment },
			programs: seeks},
		{Name: "extension headers and options of tunnel packets",
			Why:    "a host takes tunnel packets that have them; programs leave them to the host, which then does not know them for members'",
			covers: func(in arrival) bool { return in.at == Underlay && in.outerExtended },
			kernel: either(asItCame, goesOn, isAnswer)},
		{Name: "extension headers before ICMPv6 from the unspecified address",
			Why: "the kernel's filter looks for ICMPv6 behind them; programs do not, and take the packet for forged",
			covers: func(in arrival) bool {
				return in.isIP && in.packet.src.IsUnspecified() && in.packet.dst.Is6() && in.packet.isExtended()
			},
			kernel: asItCame},
		{Name: "hop-by-hop options, on a routed network",
			Why: "a router need not look at them (RFC 8200 section 4); the kernel drops those that it does not know",
			covers: func(in arrival) bool {
				return in.routed && in.isIP && in.packet.proto == packet.ProtoHopByHop && in.packet.dst.Is6()
			},
			programs: goesOn},
		{Name: "a UDP length of zero over IPv6",
			Why:    "the kernel takes it for a jumbogram's (RFC 2675 section 4); programs for malformed",
			covers: func(in arrival) bool { return in.jumbo },
			kernel: either(asItCame, goesOn, isAnswer)},
		{Name: "an IPv6 length of zero before hop-by-hop options, on a routed network",
			Why:    "the kernel takes it for a jumbogram's (RFC 2675 section 2), and does not miss the option that says so",
			covers: func(in arrival) bool { return in.routed && in.isIP && in.packet.isEndless() },
			kernel: goesOn},
		{Name: "a link-local address that nobody has, on a routed network",
			Why: "the kernel's gateway looks for it where the packet came from, to send it back there (ip6_forward); programs know all that there are",
			covers: func(in arrival) bool {
				return in.routed && in.at != Underlay && in.isIP && in.packet.src.IsLinkLocalUnicast() && in.packet.dst.IsLinkLocalUnicast()
			},
			kernel: seeks},
		{Name: "ARP for another kind of hardware, on a bridged network",
			Why:    "the kernel's bridge answers it all the same (br_do_proxy_suppress_arp); to programs it does not parse",
			covers: func(in arrival) bool { return in.bridged && in.frame.Type == packet.TypeARP && !in.parses },
			kernel: isAnswer},
		{Name: "a link-local source beyond the tunnel of a routed network",
			Why: "no router forwards it (RFC 4291 section 2.5.6); the kernel does when it came by a tunnel",
			covers: func(in arrival) bool {
				return in.at == Underlay && in.routed && in.isIP && in.packet.src.IsLinkLocalUnicast()
			},
			kernel: goesOn},
		{Name: "ND with a hop limit below 255",
			Why:      "the kernel's bridge answers and suppresses it all the same; to programs it has crossed a router, and is a packet like any other (RFC 4861 section 7.1.1)",
			covers:   func(in arrival) bool { return in.bridged && in.nd && in.packet.ttl != 255 },
			kernel:   isAnswer,
			programs: asItCame},
		{Name: "a bad checksum in ND",
			Why:      "programs answer it by its content: links here have no bit errors; the kernel takes it for a packet like any other",
			covers:   func(in arrival) bool { return in.nd && !in.checked },
			kernel:   asItCame,
			programs: isAnswer},
	}
}
