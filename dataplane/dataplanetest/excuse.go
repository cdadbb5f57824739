package dataplanetest

import (
	"bytes"
	"net/netip"

	"weft/packet"
)

// excuses reports whether a delivery that one plane has and the other lacks is one of those that
// the divergences which cover the frame have of that plane.
func (a arrival) excuses(d Delivery, of func(Divergence) func(arrival, Delivery) bool) bool {
	for _, v := range Divergences() {
		if has := of(v); has != nil && v.covers(a) && a.isIn(d) && has(a, d) {
			return true
		}
	}
	return false
}

func (d Divergence) ofKernel() func(arrival, Delivery) bool   { return d.kernel }
func (d Divergence) ofPrograms() func(arrival, Delivery) bool { return d.programs }

// either is one of several kinds of deliveries.
func either(kinds ...func(arrival, Delivery) bool) func(arrival, Delivery) bool {
	return func(in arrival, d Delivery) bool {
		for _, is := range kinds {
			if is(in, d) {
				return true
			}
		}
		return false
	}
}

// isIn reports whether a delivery is in the network that the frame came in; what goes as it is
// does not say.
func (a arrival) isIn(d Delivery) bool {
	if d.At != Underlay {
		return d.At.Network == a.network.Name
	}
	o, _, err := readTunnel(d.Bytes)
	return err != nil || o.VNI == a.network.VNI
}

// delivered is the frame that a delivery is, or has in a tunnel packet; or, of what goes as it
// is, the packet in a frame of nobody's.
func delivered(d Delivery) (frame, bool) {
	b := d.Bytes
	if d.At == Underlay {
		o, inner, err := readTunnel(b)
		if err != nil {
			p, err := parseIP(b)
			return frame{packet.Ethernet{Type: p.etherType()}, b, b}, err == nil
		}
		if b = inner; o.Inner != packet.TypeTEB {
			return frame{packet.Ethernet{Type: o.Inner}, inner, inner}, true
		}
	}
	eth, body, err := packet.ParseEthernet(b)
	return frame{eth, body, b}, err == nil
}

// asItCame: a switch has passed the frame on.
func asItCame(in arrival, d Delivery) bool {
	f, ok := delivered(d)
	return ok && in.bridged && bytes.Equal(withoutPadding(f.bytes), withoutPadding(in.frame.bytes))
}

// goesOn: a router has passed the packet on.
func goesOn(in arrival, d Delivery) bool {
	f, ok := delivered(d)
	p, is := f.ip()
	return ok && is && in.routed && in.isIP && p.src == in.packet.src && p.dst == in.packet.dst &&
		p.proto == in.packet.proto && bytes.Equal(p.payload, in.packet.payload)
}

// isAnswer: somebody has answered, or somebody for him: the gateway, or who is asked for.
func isAnswer(in arrival, d Delivery) bool {
	f, ok := delivered(d)
	if !ok {
		return false
	}
	if a, _, err := packet.ParseARP(f.body); f.Type == packet.TypeARP {
		return err == nil && a.Op == packet.ARPReply && in.asks && f.Dst == in.frame.Src
	}
	p, ok := f.ip()
	if !ok {
		return false
	}
	if nd, _, err := packet.ParseND(p.payload); p.proto == packet.ProtoICMPv6 && err == nil {
		return nd.Type == packet.ICMPv6NeighborAdvertisement && nd.Target == in.target
	}
	return in.isIP && p.dst == in.packet.src && d.Freedom&Made != 0
}

// seeks: the gateway asks all for who was sought, or for the sender.
func seeks(in arrival, d Delivery) bool {
	f, ok := delivered(d)
	if !ok || !in.isIP || f.Src != in.network.GatewayMAC {
		return false
	}
	if a, _, err := packet.ParseARP(f.body); f.Type == packet.TypeARP {
		return err == nil && a.Op == packet.ARPRequest && in.isOf(a.TargetIP)
	}
	p, is := f.ip()
	nd, _, err := packet.ParseND(p.payload)
	return is && err == nil && p.proto == packet.ProtoICMPv6 && nd.Type == packet.ICMPv6NeighborSolicitation && in.isOf(nd.Target)
}

// isOf reports whether it is a packet's sender or receiver.
func (a arrival) isOf(ip netip.Addr) bool { return ip == a.packet.src || ip == a.packet.dst }

// isPiece: it is a fragment of a tunnel packet.
func isPiece(_ arrival, d Delivery) bool {
	p, err := parseIP(d.Bytes)
	return d.At == Underlay && err == nil && !p.whole
}

// isQuotedIn: it is an ICMP error, or a redirect, about the packet that came in.
func (a arrival) isQuotedIn(d Delivery) bool {
	if d.Freedom&Quoting == 0 || !a.isIP {
		return false
	}
	src, dst := a.packet.src.AsSlice(), a.packet.dst.AsSlice()
	return bytes.Contains(d.Bytes, append(src, dst...))
}
