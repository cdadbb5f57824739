package dataplanetest

import (
	"net/netip"

	"weft/packet"
)

// view is a delivery taken apart as far as a plane is free in it, so that it can
// be compared in the rest. Checksums are not in it, but whether they are right.
type view struct {
	Outer *outerView
	Eth   *packet.Ethernet
	IP    *ipView
	ICMP  *icmpView
	// Body is what was not taken apart.
	Body []byte
	// Wrong names what does not parse and checksums that are not right.
	Wrong []string
}

type outerView struct {
	IP       ipView
	UDP      packet.UDP       // of VXLAN and Geneve
	Checksum bool             // there is one
	Header   []byte           // the encapsulation's own, if it has one
	Inner    packet.EtherType // what is inside
}

// ipView is an IP header of either version without its checksum.
type ipView struct {
	Src, Dst   netip.Addr
	TOS, TTL   uint8
	Protocol   packet.Protocol
	Length     int
	ID         uint16
	Flags      packet.IPv4Flags
	FragOffset uint16
	FlowLabel  uint32
}

type icmpView struct {
	Type, Code uint8
	Rest       []byte // 4 bytes
	Quote      []byte
}

// viewOf takes apart what free leaves to the plane.
func viewOf(at Place, b []byte, free Freedom) view {
	v := view{Body: b}
	if free&Tunnelled != 0 {
		v.openOuter()
	}
	if free&(Made|Direct) == 0 {
		return v
	}
	if at != Underlay || v.Outer != nil && v.Outer.Inner == packet.TypeTEB {
		v.openEthernet()
	}
	if v.Eth == nil || v.Eth.Type == packet.TypeIPv4 || v.Eth.Type == packet.TypeIPv6 {
		v.openIP()
	}
	if free&Quoting != 0 && v.IP != nil {
		v.openICMP()
	}
	return v
}

func (v *view) wrong(what string, err error) {
	if err != nil {
		what += ": " + err.Error()
	}
	v.Wrong = append(v.Wrong, what)
}

func (v *view) openOuter() {
	ip, segment, err := readIP(v.Body)
	if err != nil {
		v.wrong("outer IP", err)
		return
	}
	o, inner, err := readTunnel(v.Body)
	if err != nil {
		v.wrong("tunnel", err)
		return
	}
	v.Outer, v.Body = &outerView{IP: ip, Inner: o.Inner}, inner
	if ip.Protocol == packet.ProtoUDP {
		udp, payload, err := packet.ParseUDP(segment)
		if err != nil {
			v.wrong("outer UDP", err)
		}
		if udp.Checksum != 0 && packet.TransportChecksum(ip.Src, ip.Dst, packet.ProtoUDP, segment) != 0 {
			v.wrong("outer UDP checksum", nil)
		}
		v.Outer.UDP, v.Outer.Checksum, segment = udp, udp.Checksum != 0, payload
		v.Outer.UDP.Checksum = 0
	}
	v.Outer.Header = segment[:len(segment)-len(inner)]
}

func (v *view) openEthernet() {
	eth, rest, err := packet.ParseEthernet(v.Body)
	if err != nil {
		v.wrong("Ethernet", err)
		return
	}
	v.Eth, v.Body = &eth, rest
}

func (v *view) openIP() {
	ip, rest, err := readIP(v.Body)
	if err != nil {
		v.wrong("IP", err)
		return
	}
	v.IP, v.Body = &ip, rest
}

func (v *view) openICMP() {
	if len(v.Body) < packet.ICMPLen || packet.TransportChecksum(v.IP.Src, v.IP.Dst, v.IP.Protocol, v.Body) != 0 {
		v.wrong("ICMP", nil)
		return
	}
	v.ICMP = &icmpView{Type: v.Body[0], Code: v.Body[1], Rest: v.Body[4:8], Quote: v.Body[8:]}
	v.Body = nil
	v.IP.Length -= len(v.ICMP.Quote) // follows from it
}

// readIP reads a header of either version; rest is the payload without padding.
func readIP(b []byte) (v ipView, rest []byte, err error) {
	if len(b) > 0 && b[0]>>4 == 6 {
		h, rest, err := packet.ParseIPv6(b)
		return ipView{
			Src: h.Src, Dst: h.Dst, TOS: h.TrafficClass, TTL: h.HopLimit, Protocol: h.NextHeader,
			Length: int(h.PayloadLen), FlowLabel: h.FlowLabel,
		}, rest, err
	}
	h, rest, err := packet.ParseIPv4(b)
	return ipView{
		Src: h.Src, Dst: h.Dst, TOS: h.TOS, TTL: h.TTL, Protocol: h.Protocol,
		Length: int(h.TotalLen), ID: h.ID, Flags: h.Flags, FragOffset: h.FragOffset,
	}, rest, err
}
