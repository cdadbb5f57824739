package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// router forwards in a routed network: an IP router (RFC 1812, RFC 8200) whose
// interfaces are the ports and one tunnel, with the gateway's addresses.
type router struct{ dataplane.Network }

// fromPort: a port is a link of its own with nobody on it but its endpoint and
// the gateway.
func (r router) fromPort(from overlay.EndpointName, f frame) Result {
	p, isIP := f.ip()
	toAll := packet.IsGroup(f.Dst)
	switch {
	case f.Dst != r.GatewayMAC && !toAll:
		return dropped(overlay.DropUnknownUnicast)
	case f.Type == packet.TypeIPv4 || f.Type == packet.TypeIPv6:
		if !isIP {
			return dropped(overlay.DropMalformed)
		}
	}
	if reply := gateway(r).answer(f); reply != nil {
		return Result{}.also(Delivery{At: Place{r.Name, from}, Bytes: reply, Freedom: Made})
	}
	switch {
	case !isIP:
		return dropped(overlay.DropNotIP)
	case toAll: // never forwarded: RFC 1812 section 5.3.4
		return dropped(overlay.DropNoRoute)
	}
	return r.route(p)
}

// fromMember: the tunnel is a link with the members' VTEPs on it; one that carries no
// frames has this node alone at its end.
func (r router) fromMember(f frame) Result {
	p, ok := f.ip()
	frames := encap.FramesInside(r.Encapsulation, r.Kind)
	switch {
	case frames && packet.IsGroup(f.Dst):
		return dropped(overlay.DropNoRoute)
	case frames && f.Dst != r.VTEPMAC:
		return dropped(overlay.DropNoPort)
	case !ok && (f.Type == packet.TypeIPv4 || f.Type == packet.TypeIPv6):
		return dropped(overlay.DropMalformed)
	case !ok:
		return dropped(overlay.DropNotIP)
	}
	return r.route(p)
}

// route forwards a packet, whatever link it came from.
func (r router) route(p ipPacket) Result {
	if gateway(r).has(p.dst) {
		return r.pinged(p)
	}
	if !routable(p.src) || !routable(p.dst) {
		return dropped(overlay.DropNoRoute)
	}
	next, ok := r.lookup(p.dst)
	switch {
	case !ok:
		return r.refuse(overlay.DropNoRoute, p, packet.Unreachable)
	case p.ttl <= 1:
		return r.refuse(overlay.DropTTL, p, packet.TimeExceeded)
	case p.src.IsLinkLocalUnicast(): // not to another link: RFC 4291 section 2.5.6
		refused := r.refuse(overlay.DropNoRoute, p, beyondScope)
		return refused.freely(Optional)
	case len(p.bytes) <= next.mtu:
		return Result{}.also(next.send(p.etherType(), p.hop(), 0))
	case p.df:
		return r.refuse(overlay.DropTooBig, p, func(e packet.Ends, _ []byte) ([]byte, error) {
			return tooBigNotice(e, next.mtu, p), nil
		})
	}
	var result Result
	for _, piece := range fragment(p.hop(), next.mtu) {
		result = result.also(next.send(p.etherType(), piece, 0))
	}
	return result
}

// routable: an address that names one host beyond its own link (RFC 1812 section
// 5.3.7, RFC 4291 section 2.5), or at least on its own.
func routable(a netip.Addr) bool {
	return a.IsGlobalUnicast() || a.IsLinkLocalUnicast() && a.Is6()
}

// hop is where a route leads.
type hop struct {
	mtu  int
	send func(kind packet.EtherType, ip []byte, free Freedom) Delivery
}

// lookup: an endpoint here, or the longest prefix of another node.
func (r router) lookup(dst netip.Addr) (hop, bool) {
	for name, p := range r.Ports {
		for _, a := range p.Addresses {
			if a == dst && !a.IsLinkLocalUnicast() {
				return r.toPort(name, p), true
			}
		}
	}
	for _, p := range r.Ports {
		if p.Tunnel != nil && !p.Tunnel.Down {
			if _, ok := routeTo(*p.Tunnel, dst); ok {
				return r.toTunnel(*p.Tunnel), true
			}
		}
	}
	best := -1
	var to dataplane.Route
	for prefix, route := range r.Routes {
		if prefix.Contains(dst) && prefix.Bits() > best {
			best, to = prefix.Bits(), route
		}
	}
	member, known := r.Members[to.Node]
	switch {
	case best < 0:
		return hop{}, false
	case to.Direct:
		return r.direct(to.Via), true
	case !known:
		return hop{}, false
	}
	return r.toMember(member), true
}

func (r router) toPort(name overlay.EndpointName, p dataplane.Port) hop {
	return hop{r.MTU, func(kind packet.EtherType, ip []byte, free Freedom) Delivery {
		return Delivery{At: Place{r.Name, name}, Bytes: ethernet(r.GatewayMAC, p.MAC, kind, ip), Freedom: free}
	}}
}

func (r router) toMember(m dataplane.Member) hop {
	return hop{r.MTU, func(kind packet.EtherType, ip []byte, free Freedom) Delivery {
		return encapsulate(r.Network, m, ethernet(r.VTEPMAC, m.VTEPMAC, kind, ip), free)
	}}
}

func (r router) direct(via netip.Addr) hop {
	return hop{r.UnderlayMTU, func(_ packet.EtherType, ip []byte, free Freedom) Delivery {
		return Delivery{At: Underlay, Via: via, Bytes: ip, Freedom: free | Direct}
	}}
}

// directTo finds the network of a packet that comes over the underlay without
// encapsulation: it is for a block of this node's.
func directTo(s dataplane.State, dst netip.Addr) (dataplane.Network, bool) {
	for _, n := range s.Networks {
		if !takesDirect(n) {
			continue
		}
		for _, block := range n.Blocks {
			if block.Contains(dst) {
				return n, true
			}
		}
	}
	return dataplane.Network{}, false
}

func takesDirect(n dataplane.Network) bool {
	if n.Encapsulation == overlay.EncapNone {
		return true
	}
	for _, r := range n.Routes {
		if r.Direct {
			return true
		}
	}
	return false
}

// pinged: a packet for the gateway from beyond the link of one port.
func (r router) pinged(p ipPacket) Result {
	f := frame{Ethernet: packet.Ethernet{Type: p.etherType()}, body: p.bytes}
	reply := gateway(r).answer(f)
	if reply == nil {
		return Result{}
	}
	return r.back(p.src, reply[packet.EthernetLen:], Made)
}

// refuse drops a packet and tells its sender, if RFC 1122 section 3.2.2 and RFC 4443
// section 2.4 (e) allow that.
func (r router) refuse(why overlay.DropReason, p ipPacket, notice func(packet.Ends, []byte) ([]byte, error)) Result {
	ends := packet.Ends{Src: gateway(r).sourceTo(p.src), Dst: p.src}
	if !ends.Src.IsValid() {
		return dropped(why)
	}
	b, err := notice(ends, p.bytes)
	if err != nil || b == nil {
		return dropped(why)
	}
	return dropped(why).also(r.back(p.src, b[packet.EthernetLen:], Made|Quoting).Deliveries...)
}

// back sends a packet of the gateway's own to a host, if a route leads there.
func (r router) back(to netip.Addr, ip []byte, free Freedom) Result {
	if to.IsLinkLocalUnicast() {
		for name, p := range r.Ports {
			if p.LinkLocalOf() == to {
				return Result{}.also(r.toPort(name, p).send(packet.TypeIPv6, ip, free))
			}
		}
	}
	next, ok := r.lookup(to)
	if !ok {
		return Result{}
	}
	kind := packet.TypeIPv4
	if to.Is6() {
		kind = packet.TypeIPv6
	}
	return Result{}.also(next.send(kind, ip, free))
}
