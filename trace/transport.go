package trace

import (
	"cmp"
	"fmt"

	"weft/encap"
	"weft/packet"
)

// transport decodes what an IP packet carries, to its end. At a fragment offset
// other than zero that is the middle of something.
func (d *decoder) transport(p packet.Protocol, offset uint16, e ends, v view) {
	switch {
	case offset != 0, len(d.layers) >= maxLayers:
		d.data(Data, v)
	case p == packet.ProtoUDP:
		d.udp(e, v)
	case p == packet.ProtoTCP:
		d.tcp(e, v)
	case p == packet.ProtoICMP:
		d.icmpv4(e, v)
	case p == packet.ProtoICMPv6:
		d.icmpv6(e, v)
	default:
		d.data(Data, v)
	}
}

func (d *decoder) udp(e ends, v view) {
	h, rest, err := packet.ParseUDP(v.b)
	var problem string
	if !tolerable(err, v, &problem) {
		d.broken(UDP, v, err)
		return
	}
	l := d.layer(UDP, v, packet.UDPLen)
	l.Problem = problem
	l.add("source port", 0, 2, dec(h.SrcPort), "")
	l.add("destination port", 2, 2, dec(h.DstPort), "")
	l.add("length", 4, 2, dec(h.Length), "")
	l.Summary = fmt.Sprintf("%d → %d, length %d", h.SrcPort, h.DstPort, h.Length)
	if h.Checksum == 0 {
		l.add("checksum", 6, 2, hex16(0), "none")
	} else {
		segment := view{at: v.at, b: v.b[:packet.UDPLen+len(rest)], partial: v.partial || problem != ""}
		l.checksum(6, h.Checksum, e, packet.ProtoUDP, segment)
	}
	payload := v.behind(packet.UDPLen, rest)
	if d.isVXLAN(h.DstPort) {
		d.tunnel(payload)
	} else {
		d.data(Data, payload)
	}
	end := packet.UDPLen + len(rest)
	d.data(Padding, v.behind(end, v.b[end:]))
}

// tunnel decodes VXLAN and the frame inside.
func (d *decoder) tunnel(v view) {
	h, rest, err := encap.ParseVXLAN(v.b)
	if rest == nil {
		d.broken(VXLAN, v, err)
		return
	}
	l := d.layer(VXLAN, v, encap.VXLANLen)
	l.add("flags", 0, 1, hex8(v.b[0]), "")
	l.add("vni", 4, 3, dec(h.VNI), "")
	l.Summary = fmt.Sprintf("vni %d", h.VNI)
	if err != nil {
		l.Problem = err.Error()
	}
	d.deeper(v.behind(encap.VXLANLen, rest), d.ethernet)
}

func (d *decoder) tcp(e ends, v view) {
	h, rest, err := packet.ParseTCP(v.b)
	if err != nil {
		d.broken(TCP, v, err)
		return
	}
	l := d.layer(TCP, v, h.Len())
	l.add("source port", 0, 2, dec(h.SrcPort), "")
	l.add("destination port", 2, 2, dec(h.DstPort), "")
	l.add("sequence", 4, 4, dec(h.Seq), "")
	l.add("acknowledgment", 8, 4, dec(h.Ack), "")
	l.add("flags", 12, 2, hex16(uint16(h.Flags)), h.Flags.String())
	l.add("window", 14, 2, dec(h.Window), "")
	l.checksum(16, h.Checksum, e, packet.ProtoTCP, v)
	l.add("urgent pointer", 18, 2, dec(h.Urgent), "")
	if n := h.Options.Len(); n > 0 {
		options := h.Options.Append(nil)
		l.add("options", packet.TCPMinLen, n, fmt.Sprintf("0x%x", options), tcpOptions(options))
	}
	l.Summary = fmt.Sprintf("%d → %d, %s, seq %d, ack %d, window %d",
		h.SrcPort, h.DstPort, cmp.Or(h.Flags.String(), "no flags"), h.Seq, h.Ack, h.Window)
	d.data(Data, v.behind(h.Len(), rest))
}

// checksum adds the field and says whether it is right. Where a device is to fill
// it in, Linux leaves the sum of the pseudo header there (CHECKSUM_PARTIAL in
// include/linux/skbuff.h): that is how a packet looks on the host that sent it.
func (l *Layer) checksum(at int, value uint16, e ends, p packet.Protocol, segment view) {
	note := "right"
	switch {
	case segment.partial:
		note = ""
	case packet.TransportChecksum(e.src, e.dst, p, segment.b) == 0:
	case p != packet.ProtoICMP && value == ^packet.PseudoHeader(e.src, e.dst, p, len(segment.b)).Checksum():
		note = "left to the device"
	default:
		note = "wrong"
		if l.Problem == "" {
			l.Problem = "wrong checksum " + hex16(value)
		}
	}
	l.add("checksum", at, 2, hex16(value), note)
}
