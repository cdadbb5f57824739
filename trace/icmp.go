package trace

import (
	"fmt"

	"weft/packet"
)

func (d *decoder) icmpv4(e ends, v view) {
	h, rest, err := packet.ParseICMPv4(v.b)
	if err != nil {
		d.broken(ICMP, v, err)
		return
	}
	l := d.layer(ICMP, v, packet.ICMPLen)
	l.add("type", 0, 1, dec(h.Type), h.Type.String())
	l.add("code", 1, 1, dec(h.Code), codeV4(h))
	l.checksum(2, h.Checksum, e, packet.ProtoICMP, v)
	l.Summary = h.Type.String()
	switch {
	case h.Type == packet.ICMPv4EchoRequest, h.Type == packet.ICMPv4EchoReply:
		l.echo(h.Echo())
	case h.Type == packet.ICMPv4Unreachable && h.Code == packet.CodeFragNeeded:
		l.Summary += fmt.Sprintf(": %s, mtu %d", codeV4(h), h.MTU())
		l.add("mtu", 6, 2, dec(h.MTU()), "")
	case codeV4(h) != "":
		l.Summary += ": " + codeV4(h)
	}
	d.message(h.Type.IsError(), v.behind(packet.ICMPLen, rest), d.ipv4)
}

func (d *decoder) icmpv6(e ends, v view) {
	h, rest, err := packet.ParseICMPv6(v.b)
	if err != nil {
		d.broken(ICMPv6, v, err)
		return
	}
	l := d.layer(ICMPv6, v, packet.ICMPLen)
	l.add("type", 0, 1, dec(h.Type), h.Type.String())
	l.add("code", 1, 1, dec(h.Code), codeV6(h))
	l.checksum(2, h.Checksum, e, packet.ProtoICMPv6, v)
	l.Summary = h.Type.String()
	switch h.Type {
	case packet.ICMPv6NeighborSolicitation, packet.ICMPv6NeighborAdvertisement:
		d.neighbor(l, v)
		return
	case packet.ICMPv6EchoRequest, packet.ICMPv6EchoReply:
		l.echo(h.Echo())
	case packet.ICMPv6PacketTooBig:
		l.Summary += fmt.Sprintf(", mtu %d", h.MTU())
		l.add("mtu", 4, 4, dec(h.MTU()), "")
	default:
		if code := codeV6(h); code != "" {
			l.Summary += ": " + code
		}
	}
	d.message(h.Type.IsError(), v.behind(packet.ICMPLen, rest), d.ipv6)
}

// echo adds what ties a ping to its answer.
func (l *Layer) echo(id, seq uint16) {
	l.add("id", 4, 2, hex16(id), "")
	l.add("sequence", 6, 2, dec(seq), "")
	l.Summary += fmt.Sprintf(", id %s, seq %d", hex16(id), seq)
}

// message decodes the body: of an error the head of the packet that it is about.
func (d *decoder) message(isError bool, v view, quoted func(view) int) {
	if !isError || len(v.b) == 0 {
		d.data(Data, v)
		return
	}
	v.partial = true
	d.deeper(v, quoted)
}
