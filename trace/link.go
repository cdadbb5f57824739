package trace

import (
	"fmt"

	"weft/packet"
)

// ethernet decodes a frame to its end and returns its length.
func (d *decoder) ethernet(v view) int {
	h, rest, err := packet.ParseEthernet(v.b)
	if err != nil {
		d.broken(Ethernet, v, err)
		return len(v.b)
	}
	l := d.layer(Ethernet, v, packet.EthernetLen)
	l.add("destination", 0, 6, mac(h.Dst), castNote(h.Dst))
	l.add("source", 6, 6, mac(h.Src), "")
	l.add("type", 12, 2, hex16(uint16(h.Type)), typeNote(h.Type))
	l.Summary = fmt.Sprintf("%s → %s, %s", mac(h.Src), mac(h.Dst), typeName(h.Type))
	d.etherType(h.Type, v.behind(packet.EthernetLen, rest))
	return len(v.b)
}

// etherType decodes what an Ethernet or VLAN header announces, and the padding.
func (d *decoder) etherType(t packet.EtherType, v view) {
	var n int
	switch {
	case len(d.layers) >= maxLayers:
	case t.IsVLAN():
		n = d.vlan(v)
	case t == packet.TypeARP:
		n = d.arp(v)
	case t == packet.TypeIPv4:
		n = d.ipv4(v)
	case t == packet.TypeIPv6:
		n = d.ipv6(v)
	}
	behind := view{at: v.at + n, b: v.b[n:]}
	if n == 0 {
		d.data(Data, behind)
	} else {
		d.data(Padding, behind)
	}
}

func (d *decoder) vlan(v view) int {
	h, rest, err := packet.ParseVLAN(v.b)
	if err != nil {
		d.broken(VLAN, v, err)
		return len(v.b)
	}
	l := d.layer(VLAN, v, packet.VLANLen)
	l.add("priority", 0, 2, dec(h.Priority), "")
	l.add("id", 0, 2, dec(h.ID), "")
	l.add("type", 2, 2, hex16(uint16(h.Type)), typeNote(h.Type))
	l.Summary = fmt.Sprintf("id %d, %s", h.ID, typeName(h.Type))
	d.etherType(h.Type, v.behind(packet.VLANLen, rest))
	return len(v.b)
}

func (d *decoder) arp(v view) int {
	h, _, err := packet.ParseARP(v.b)
	if err != nil {
		d.broken(ARP, v, err)
		return len(v.b)
	}
	l := d.layer(ARP, v, packet.ARPLen)
	l.add("operation", 6, 2, dec(h.Op), h.Op.String())
	l.add("sender MAC", 8, 6, mac(h.SenderMAC), "")
	l.add("sender", 14, 4, h.SenderIP.String(), "")
	l.add("target MAC", 18, 6, mac(h.TargetMAC), "")
	l.add("target", 24, 4, h.TargetIP.String(), "")
	switch h.Op {
	case packet.ARPRequest:
		l.Summary = fmt.Sprintf("request: who has %s? tell %s", h.TargetIP, h.SenderIP)
	case packet.ARPReply:
		l.Summary = fmt.Sprintf("reply: %s is at %s", h.SenderIP, mac(h.SenderMAC))
	default:
		l.Summary = h.Op.String()
	}
	return packet.ARPLen
}

func castNote(dst [6]byte) string {
	switch {
	case dst == packet.Broadcast:
		return "broadcast"
	case packet.IsGroup(dst):
		return "multicast"
	}
	return ""
}

// typeName is the EtherType's name, "802.3" for a length.
func typeName(t packet.EtherType) string {
	if t.IsLength() {
		return "802.3"
	}
	return t.String()
}

// typeNote is typeName where that is more than the number.
func typeNote(t packet.EtherType) string {
	if name := typeName(t); name != hex16(uint16(t)) {
		return name
	}
	return ""
}
