package trace

import (
	"fmt"
	"net/netip"

	"weft/packet"
)

// neighbor completes the layer of a solicitation or advertisement.
func (d *decoder) neighbor(l *Layer, v view) {
	h, options, err := packet.ParseND(v.b)
	if err != nil {
		l.Problem = err.Error()
		d.data(Data, v.behind(packet.ICMPLen, v.b[packet.ICMPLen:]))
		return
	}
	l.Length = len(v.b)
	if h.Type == packet.ICMPv6NeighborAdvertisement {
		l.add("flags", 4, 4, fmt.Sprintf("0x%08x", uint32(h.Flags)), ndFlags(h.Flags))
	}
	l.add("target", 8, 16, h.Target.String(), "")
	l.Summary += neighborSummary(h.Target, h.Type)
	for at := packet.NDLen; len(options) > 0; {
		o, rest, err := packet.ParseNDOption(options)
		if err != nil {
			l.Problem = err.Error()
			return
		}
		value := fmt.Sprintf("0x%x", o.Value)
		if len(o.Value) == 6 && o.Type != packet.NDNonce {
			value = mac([6]byte(o.Value))
			l.Summary += " " + macSummary(o.Type) + value
		}
		l.add(o.Type.String(), at+2, len(o.Value), value, "")
		at += len(options) - len(rest)
		options = rest
	}
}

func neighborSummary(target netip.Addr, t packet.ICMPv6Type) string {
	if t == packet.ICMPv6NeighborSolicitation {
		return fmt.Sprintf(": who has %s?", target)
	}
	return fmt.Sprintf(": %s", target)
}

func macSummary(t packet.NDOptionType) string {
	if t == packet.NDTargetLinkAddr {
		return "is at "
	}
	return "from "
}

func ndFlags(f packet.NDFlags) string {
	return flagNames(
		flag{f&packet.NDRouter != 0, "router"},
		flag{f&packet.NDSolicited != 0, "solicited"},
		flag{f&packet.NDOverride != 0, "override"},
	)
}
