package trace

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"weft/packet"
)

// ends are the addresses that a transport checksum covers.
type ends struct{ src, dst netip.Addr }

// ipv4 decodes a packet and returns its length, without padding.
func (d *decoder) ipv4(v view) int {
	h, rest, err := packet.ParseIPv4(v.b)
	var problem string
	if !tolerable(err, v, &problem) {
		d.broken(IPv4, v, err)
		return len(v.b)
	}
	l := d.layer(IPv4, v, h.Len())
	l.Problem = problem
	l.add("tos", 1, 1, hex8(h.TOS), "")
	l.add("length", 2, 2, dec(h.TotalLen), "")
	l.add("id", 4, 2, hex16(h.ID), "")
	l.add("flags", 6, 1, hex8(uint8(h.Flags)), flagsNote(h.Flags))
	l.add("offset", 6, 2, dec(h.FragOffset), "")
	l.add("ttl", 8, 1, dec(h.TTL), "")
	l.add("protocol", 9, 1, dec(h.Protocol), protocolNote(h.Protocol))
	l.add("checksum", 10, 2, fmt.Sprintf("0x%02x%02x", v.b[10], v.b[11]), headerChecksumNote(v.b[:h.Len()]))
	l.add("source", 12, 4, h.Src.String(), "")
	l.add("destination", 16, 4, h.Dst.String(), "")
	if n := h.Options.Len(); n > 0 {
		l.add("options", packet.IPv4MinLen, n, fmt.Sprintf("0x%x", h.Options.Append(nil)), "")
	}
	l.Summary = fmt.Sprintf("%s → %s, %s, ttl %d, length %d", h.Src, h.Dst, h.Protocol, h.TTL, h.TotalLen)
	if h.Flags&packet.DontFragment != 0 {
		l.Summary += ", DF"
	}
	payload := v.behind(h.Len(), rest)
	if h.IsFragment() {
		l.Summary += fragmentSummary(uint32(h.ID), h.FragOffset, h.Flags&packet.MoreFragments != 0)
	}
	payload.partial = v.partial || h.IsFragment() || errors.Is(err, packet.ErrCut)
	d.transport(h.Protocol, h.FragOffset, ends{h.Src, h.Dst}, payload)
	return h.Len() + len(rest)
}

// ipv6 decodes a packet and returns its length, without padding.
func (d *decoder) ipv6(v view) int {
	h, rest, err := packet.ParseIPv6(v.b)
	var problem string
	if !tolerable(err, v, &problem) {
		d.broken(IPv6, v, err)
		return len(v.b)
	}
	l := d.layer(IPv6, v, packet.IPv6Len)
	l.Problem = problem
	l.add("traffic class", 0, 2, hex8(h.TrafficClass), "")
	l.add("flow label", 1, 3, fmt.Sprintf("0x%05x", h.FlowLabel), "")
	l.add("length", 4, 2, dec(h.PayloadLen), "")
	l.add("next header", 6, 1, dec(h.NextHeader), protocolNote(h.NextHeader))
	l.add("hop limit", 7, 1, dec(h.HopLimit), "")
	l.add("source", 8, 16, h.Src.String(), "")
	l.add("destination", 24, 16, h.Dst.String(), "")
	l.Summary = fmt.Sprintf("%s → %s, %s, hop limit %d, length %d", h.Src, h.Dst, h.NextHeader, h.HopLimit, h.PayloadLen)

	payload := v.behind(packet.IPv6Len, rest)
	payload.partial = v.partial || errors.Is(err, packet.ErrCut)
	ext, behind, err := packet.ParseIPv6Extensions(h.NextHeader, rest)
	if err != nil {
		d.broken(IPv6Extensions, payload, err)
		return packet.IPv6Len + len(rest)
	}
	if ext.Len > 0 {
		d.extensions(payload, ext)
		payload = payload.behind(ext.Len, behind)
		payload.partial = payload.partial || ext.More || ext.FragOffset != 0
	}
	d.transport(ext.Protocol, ext.FragOffset, ends{h.Src, h.Dst}, payload)
	return packet.IPv6Len + len(rest)
}

func (d *decoder) extensions(v view, ext packet.IPv6Extensions) {
	l := d.layer(IPv6Extensions, v, ext.Len)
	l.Summary = fmt.Sprintf("%s, then %s", count(ext.Len), ext.Protocol)
	if ext.Fragment {
		l.Summary += fragmentSummary(ext.ID, ext.FragOffset, ext.More)
	}
}

// fragmentSummary is the end of a summary line.
func fragmentSummary(id uint32, offset uint16, more bool) string {
	if more {
		return fmt.Sprintf(", fragment at %d of 0x%x, more follow", offset, id)
	}
	return fmt.Sprintf(", fragment at %d of 0x%x, the last", offset, id)
}

func flagsNote(f packet.IPv4Flags) string {
	return flagNames(
		flag{f&packet.ReservedFlag != 0, "reserved"},
		flag{f&packet.DontFragment != 0, "DF"},
		flag{f&packet.MoreFragments != 0, "MF"},
	)
}

type flag struct {
	set  bool
	name string
}

// flagNames lists the flags that are set.
func flagNames(flags ...flag) string {
	var set []string
	for _, f := range flags {
		if f.set {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, " ")
}

// protocolNote is the protocol's name where that is more than the number.
func protocolNote(p packet.Protocol) string {
	if name := p.String(); name != strconv.Itoa(int(p)) {
		return name
	}
	return ""
}

func headerChecksumNote(header []byte) string {
	if packet.Checksum(header) != 0 {
		return "wrong"
	}
	return "right"
}
