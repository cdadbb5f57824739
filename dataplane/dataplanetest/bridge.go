package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

// bridge forwards in a bridged network: an Ethernet switch (IEEE 802.1Q clause
// 8.6) whose filtering database is the registry, with the local ports, the
// gateway and the members' VTEPs as its ports.
type bridge struct {
	dataplane.Network
	learnt map[overlay.MAC]overlay.EndpointName
}

// origin is where the bridge got a frame from.
type origin struct {
	port    overlay.EndpointName // empty: not from a port
	member  bool
	gateway bool
}

func (b bridge) fromPort(p dataplane.Port, f frame) Result {
	from := origin{port: p.Name}
	r := b.forward(from, f)
	if p.Kind == overlay.PortSegment {
		r.Seen = f.Src
	}
	return r
}

func (b bridge) fromMember(f frame) Result { return b.forward(origin{member: true}, f) }

func (b bridge) forward(from origin, f frame) Result {
	switch {
	case packet.IsGroup(f.Dst):
		return b.group(from, f)
	case f.Dst == b.GatewayMAC:
		return b.toGateway(f)
	}
	return b.unicast(from, f)
}

// unicast: to the one port that has the destination, and to nobody otherwise.
func (b bridge) unicast(from origin, f frame) Result {
	port, member, known := b.find(f.Dst)
	switch {
	case !known && from.member:
		return dropped(overlay.DropNoPort)
	case !known && f.Dst == f.Src:
		return dropped(overlay.DropNoPort) // it is learnt from this very frame (IEEE 802.1Q clause 8.7)
	case !known:
		return dropped(overlay.DropUnknownUnicast)
	case port != "" && port == from.port:
		return dropped(overlay.DropNoPort) // its receiver has got it already
	case port != "":
		return Result{}.also(b.to(port, f.bytes, from.freedom()))
	case from.member:
		return dropped(overlay.DropLoop)
	}
	if p, ok := f.ip(); ok && len(p.bytes) > room(b.Network) {
		return b.tooBig(from, f, p)
	}
	return Result{}.also(encapsulate(b.Network, member, f.bytes, from.freedom()))
}

// find looks a MAC up: a local port, or a member of which ok says that there is one.
// What the registry says goes before what was learnt: a station that shows up here is
// announced, and the registry decides whether it has moved.
func (b bridge) find(mac [6]byte) (port overlay.EndpointName, m dataplane.Member, ok bool) {
	if p := singlePort(b.Network, mac); p != nil {
		return p.Name, m, true
	}
	if node, known := b.Remotes[mac]; known {
		m, ok = b.Members[node]
		return "", m, ok
	}
	port, ok = b.learnt[mac]
	return port, m, ok
}

// group: broadcast and multicast go to everybody but where they came from; to the
// members one by one (head-end replication), and not from one member to another
// (split horizon).
func (b bridge) group(from origin, f frame) Result {
	var r Result
	known := b.resolve(from, f)
	if known.reply != nil {
		r = r.also(b.to(from.port, known.reply, 0))
	}
	if !from.gateway {
		r = r.also(b.toGateway(f).Deliveries...)
	}
	for name := range b.Ports {
		if name != from.port {
			r = r.also(b.to(name, f.bytes, from.freedom()|known.freedom))
		}
	}
	switch {
	case from.member || known.settled || len(b.Members) == 0:
		return r
	case b.BUM == overlay.BUMNone:
		r.Drop = overlay.DropBUM
		return r
	}
	for _, m := range b.Members {
		r = r.also(encapsulate(b.Network, m, f.bytes, from.freedom()))
	}
	if from.port != "" {
		r.Flooded = len(b.Members)
	}
	return r
}

// toGateway hands a frame to the gateway and forwards what it answers. The gateway
// of a bridged network forwards no IP packets.
func (b bridge) toGateway(f frame) Result {
	if reply := (gateway{b.Network}).answer(f); reply != nil {
		answer, err := parseFrame(reply)
		if err != nil {
			return dropped(overlay.DropMalformed)
		}
		return Result{Deliveries: b.forward(origin{gateway: true}, answer).Deliveries}
	}
	if p, ok := f.ip(); ok && !(gateway{b.Network}).has(p.dst) && !packet.IsGroup(f.Dst) {
		return dropped(overlay.DropNoRoute)
	}
	return Result{}
}

// tooBig tells the sender, as a router would (RFC 1191, RFC 8201). A bridge has
// no address: the answer bears the destination's, or the gateway's.
func (b bridge) tooBig(from origin, f frame, p ipPacket) Result {
	r := dropped(overlay.DropTooBig)
	back := packet.Ends{SrcMAC: f.Dst, DstMAC: f.Src, Src: p.dst, Dst: p.src}
	if notice := tooBigNotice(back, room(b.Network), p); notice != nil && from.port != "" {
		d := b.to(from.port, notice, Made|Quoting)
		back.SrcMAC, back.Src = b.GatewayMAC, gateway{b.Network}.sourceTo(p.src)
		d.Or = tooBigNotice(back, room(b.Network), p)
		r = r.also(d)
	}
	return r
}

func (b bridge) to(port overlay.EndpointName, bytes []byte, free Freedom) Delivery {
	if t := b.Ports[port].Tunnel; t != nil {
		return toPeer(b.Network, *t, bytes, free)
	}
	return Delivery{At: Place{b.Name, port}, Bytes: bytes, Freedom: free}
}

// freedom: what the gateway says is the plane's own packet.
func (o origin) freedom() Freedom {
	if o.gateway {
		return Made
	}
	return 0
}

// resolved is what the registry knows about an ARP or ND message to a group.
type resolved struct {
	// settled: nobody on another node needs to see it.
	settled bool
	// reply answers it on the spot.
	reply []byte
	// freedom of the copies to local ports.
	freedom Freedom
}

// resolve suppresses ARP and ND (RFC 7432 section 10, RFC 9161): what a local port
// asks and the registry knows is answered on the spot if the address is remote, and
// stays on the node if its owner is here or the gateway's. What a port announces or
// probes, the registry knows already.
func (b bridge) resolve(from origin, f frame) resolved {
	q, ok := parseQuestion(f)
	if !ok || from.member {
		return resolved{}
	}
	if q.announces {
		return resolved{settled: true}
	}
	if (gateway{b.Network}).has(q.target) {
		return resolved{settled: true, freedom: Optional}
	}
	mac, ok := b.Neighbors[q.target]
	if !ok {
		return resolved{}
	}
	switch port, _, known := b.find(mac); {
	case !known:
		return resolved{}
	case port != "" || from.port == "":
		return resolved{settled: true}
	}
	return resolved{settled: true, reply: q.reply(mac), freedom: Optional}
}

// question is an ARP or ND message that asks all who has an address.
type question struct {
	target netip.Addr
	// announces: it tells, or looks for a duplicate of, the sender's own address.
	announces bool
	// reply says that the target is at mac.
	reply func(mac [6]byte) []byte
}

func parseQuestion(f frame) (question, bool) {
	if f.Type == packet.TypeARP {
		return parseARPQuestion(f)
	}
	p, ok := f.ip()
	if !ok || p.proto != packet.ProtoICMPv6 {
		return question{}, false
	}
	return parseNDQuestion(f, p)
}

func parseARPQuestion(f frame) (question, bool) {
	a, _, err := packet.ParseARP(f.body)
	if err != nil {
		return question{}, false
	}
	q := question{
		target:    a.TargetIP,
		announces: a.SenderIP.IsUnspecified() || a.SenderIP == a.TargetIP,
		reply: func(mac [6]byte) []byte {
			return packet.ARPReplyFrame(mac, a.TargetIP, a.SenderMAC, a.SenderIP)
		},
	}
	return q, a.Op == packet.ARPRequest || q.announces
}

func parseNDQuestion(f frame, p ipPacket) (question, bool) {
	nd, options, err := packet.ParseND(p.payload)
	if err != nil {
		return question{}, false
	}
	asker, found, err := packet.LinkAddr(options, packet.NDSourceLinkAddr)
	if err != nil {
		return question{}, false
	}
	if !found {
		asker = f.Src
	}
	q := question{
		target:    nd.Target,
		announces: p.src.IsUnspecified() || nd.Type == packet.ICMPv6NeighborAdvertisement && nd.Flags&packet.NDSolicited == 0,
		reply: func(mac [6]byte) []byte {
			return packet.NAFrame(mac, nd.Target, packet.NDSolicited|packet.NDOverride, asker, p.src)
		},
	}
	return q, nd.Type == packet.ICMPv6NeighborSolicitation || q.announces
}
