package dataplanetest

import (
	"fmt"

	"weft/overlay"
	"weft/packet"
)

// describe is a delivery in a line, for people.
func describe(d Delivery) string {
	if d.At != Underlay {
		return fmt.Sprintf("at %s: %s", d.At, describeFrame(d.Bytes))
	}
	if !d.Via.IsValid() { // it comes in
		return "at the underlay: " + describeOuter(d.Bytes)
	}
	return fmt.Sprintf("at the underlay, to %s: %s", d.Via, describeOuter(d.Bytes))
}

func describeOuter(b []byte) string {
	outer, err := parseIP(b)
	if err != nil {
		return fmt.Sprintf("%v: %x", err, b)
	}
	o, inner, err := readTunnel(outer.bytes)
	if err != nil {
		return describeIP(b)
	}
	head := fmt.Sprintf("%s > %s %s", o.Src, o.Dst, o.Encapsulation)
	if o.DstPort != 0 {
		head += fmt.Sprintf(" port %d", o.DstPort)
	}
	if o.VNI != 0 {
		head += " VNI " + o.VNI.String()
	}
	if o.Inner == packet.TypeTEB {
		return head + ": " + describeFrame(inner)
	}
	return head + ": " + describeIP(inner)
}

func describeFrame(b []byte) string {
	eth, body, err := packet.ParseEthernet(b)
	if err != nil {
		return fmt.Sprintf("%v: %x", err, b)
	}
	head := fmt.Sprintf("%s > %s", overlay.MAC(eth.Src), overlay.MAC(eth.Dst))
	switch eth.Type {
	case packet.TypeARP:
		if a, _, err := packet.ParseARP(body); err == nil {
			return fmt.Sprintf("%s ARP %s, sender %s %s, target %s", head, a.Op, overlay.MAC(a.SenderMAC), a.SenderIP, a.TargetIP)
		}
	case packet.TypeIPv4, packet.TypeIPv6:
		return head + " " + describeIP(body)
	}
	return fmt.Sprintf("%s %s %.64x", head, eth.Type, body)
}

func describeIP(b []byte) string {
	p, err := parseIP(b)
	if err != nil {
		return fmt.Sprintf("%v: %.64x", err, b)
	}
	head := fmt.Sprintf("%s > %s ttl %d, %d bytes, %s", p.src, p.dst, p.ttl, len(p.bytes), p.proto)
	switch p.proto {
	case packet.ProtoICMP:
		if h, _, err := packet.ParseICMPv4(p.payload); err == nil {
			return fmt.Sprintf("%s %s code %d, %#x", head, h.Type, h.Code, h.Rest)
		}
	case packet.ProtoICMPv6:
		if nd, _, err := packet.ParseND(p.payload); err == nil {
			return fmt.Sprintf("%s %s of %s, flags %#x", head, nd.Type, nd.Target, uint32(nd.Flags)>>29)
		}
		if h, _, err := packet.ParseICMPv6(p.payload); err == nil {
			return fmt.Sprintf("%s %s code %d, %#x", head, h.Type, h.Code, h.Rest)
		}
	case packet.ProtoUDP:
		if h, _, err := packet.ParseUDP(p.payload); err == nil {
			return fmt.Sprintf("%s %d > %d", head, h.SrcPort, h.DstPort)
		}
	}
	return head
}
