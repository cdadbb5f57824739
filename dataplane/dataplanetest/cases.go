package dataplanetest

import (
	"net/netip"
	"slices"

	"weft/overlay"
	"weft/packet"
)

// testCase is one thing that a plane has to do. It expects what it says by hand:
// the contract's program has to pass it as well as any plane.
type testCase struct {
	name string
	in   scope
	run  func(x *exam)
}

// scope says in which worlds a case has a meaning.
type scope uint

const (
	bridged scope = 1 << iota
	routed
	only4 // IPv4 inside
	only6
	// fresh: on routed networks that were made just now. Hosts limit how often they send ICMP
	// errors (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f)), Linux some of them
	// in a way that no setting of the network's turns off (net/ipv4/route.c, ip_error).
	fresh
	named  // packets say what network they belong to; such an encapsulation has both kinds
	udp    // in UDP
	frames // Ethernet frames inside the tunnel packets
	beside // another encapsulation than VXLAN
	typed  // the encapsulation's header says what is inside
	geneve
	bareV6 // IPv6 outside, and the encapsulation right behind
	bare   // packets right behind the encapsulation, and no frames
	both   = bridged | routed
	// restrictions are what a case may need of its world beside the kind.
	restrictions = only4 | only6 | named | udp | frames | beside | typed | geneve | bareV6 | bare
)

// scope is what holds in a world.
func (w world) scope() scope {
	in := routed
	for property, holds := range map[scope]bool{
		bridged: w.kind == overlay.Bridged,
		only4:   w.overlay == overlay.V4,
		only6:   w.overlay == overlay.V6,
		named:   w.encapsulation.HasVNI(),
		udp:     w.encapsulation.DefaultPort() != 0,
		frames:  w.frames(),
		beside:  w.encapsulation != overlay.EncapVXLAN,
		typed:   w.encapsulation == overlay.EncapGeneve || w.encapsulation == overlay.EncapGRE,
		geneve:  w.encapsulation == overlay.EncapGeneve,
		bareV6:  w.encapsulation.DefaultPort() == 0 && w.under == overlay.V6,
		bare:    !w.frames() && w.encapsulation.DefaultPort() == 0,
	} {
		if holds {
			in |= property
		}
	}
	if in&bridged != 0 {
		in &^= routed
	}
	return in
}

func (c testCase) fits(w world) bool {
	has := w.scope()
	return c.in&has&both != 0 && c.in&restrictions&^has == 0
}

func cases() []testCase {
	return slices.Concat(
		unicastCases(), gatewayCases(), resolutionCases(), groupCases(), stormCases(), filterCases(),
		tunnelCases(), hostileCases(), routingCases(), sizeCases(), segmentCases(), attachedCases(), changeCases(),
	)
}

// data is a ping's payload.
var data = []byte("the quick brown fox jumps over the lazy dog")

func ping(e packet.Ends) []byte { return e.EchoRequest(7, 1, data) }
func pong(e packet.Ends) []byte { return e.EchoReply(7, 1, data) }

// ask is the broadcast or multicast of a host that wants to know who has an address.
func ask(h host, target netip.Addr) []byte {
	if target.Is4() {
		return packet.ARPRequestFrame(h.mac, h.ip, target)
	}
	return packet.NSFrame(h.mac, h.ip, target)
}

// tell is the answer to that: target is at mac.
func tell(mac overlay.MAC, target netip.Addr, h host, flags ...packet.NDFlags) []byte {
	if target.Is4() {
		return packet.ARPReplyFrame(mac, target, h.mac, h.ip)
	}
	all := packet.NDSolicited | packet.NDOverride
	for _, f := range flags {
		all |= f
	}
	return packet.NAFrame(mac, target, all, h.mac, h.ip)
}

// unspecified is the address of nobody yet, of a host's family.
func unspecified(h host) netip.Addr {
	if h.ip.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// group is the ends of a packet to a multicast group, or to all with IPv4.
func group(h host, to netip.Addr) packet.Ends {
	return packet.Ends{SrcMAC: h.mac, DstMAC: packet.MulticastMAC(to), Src: h.ip, Dst: to, TTL: 1}
}

// mdns is the group of multicast DNS (RFC 6762) in a host's family.
func mdns(h host) netip.Addr {
	if h.ip.Is4() {
		return netip.AddrFrom4([4]byte{224, 0, 0, 251})
	}
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0xfb})
}

// refusal is the ICMP error that tells a host what became of its packet.
func refusal(kind func(packet.Ends, []byte) ([]byte, error), mac overlay.MAC, ip netip.Addr, h host, offending []byte) []byte {
	b, err := kind(packet.Ends{SrcMAC: mac, DstMAC: h.mac, Src: ip, Dst: h.ip}, offending[packet.EthernetLen:])
	if err != nil {
		panic(err) // the suite only expects errors about packets that allow one
	}
	return b
}
