package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

func attachedCases() []testCase {
	return []testCase{
		{"a tunnel is a segment of a bridged network", bridged, tunnelSegment},
		{"broadcast reaches a tunnel's peer", bridged, tunnelBroadcast},
		{"a tunnel's published station", bridged, tunnelPublished},
		{"a routed network reaches what is behind its tunnel", routed | bare, tunnelRouted},
		{"strangers behind a tunnel have no addresses of others", routed | bare, tunnelSpoofed},
		{"what is too large for a tunnel", routed | bare, tunnelTooLarge},
		{"a tunnel that has gone", routed | bare, tunnelGone},
	}
}

// site is the port of a tunnel to node d, which knows nothing of Weft, and sara and sven are
// behind it.
const site overlay.EndpointName = "tunnel/site"

const siteKey = 0x77

func (w world) sara() host { return w.behindTunnel(2) }
func (w world) sven() host { return w.behindTunnel(3) }

func (w world) behindTunnel(pos byte) host {
	h := w.host(blue, site, nodeD, 5, pos)
	if w.kind == overlay.Routed {
		h.ip = inSite(w.overlay, pos)
	}
	return h
}

// inSite are the addresses behind the tunnel, in a routed network.
func inSite(f overlay.Family, pos byte) netip.Addr {
	if f == overlay.V4 {
		return netip.AddrFrom4([4]byte{10, 99, 0, pos})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x99, 15: pos})
}

// tunnel is one of the same encapsulation as the networks.
func (w world) tunnel() dataplane.Tunnel {
	s := overlay.TunnelSpec{Node: here, Mode: overlay.TunnelMode(w.encapsulation), Device: "site0", Remote: w.vtep(nodeD).String()}
	if w.encapsulation == overlay.EncapGRE {
		key := overlay.GREKey(siteKey)
		s.InKey, s.OutKey = &key, &key
		if w.kind == overlay.Bridged {
			s.Mode = overlay.TunnelGRETAP
		}
	}
	if s.Mode.HasVNI() {
		s.VNI = siteKey
	}
	if w.kind == overlay.Routed {
		bits := 24
		if w.overlay == overlay.V6 {
			bits = 64
		}
		s.Routes = []overlay.TunnelRoute{{Prefix: netip.PrefixFrom(inSite(w.overlay, 0), bits)}}
	}
	s = s.Complete("site")
	s.TTL.Hops = 64
	return dataplane.Tunnel{Name: "site", Spec: s, Local: w.vtep(here), Remote: w.vtep(nodeD), MTU: UnderlayMTU - w.overhead()}
}

// openTunnel attaches it, with stations behind it that the registry has.
func (x *exam) openTunnel(edit func(*dataplane.Tunnel), published ...host) {
	t := x.tunnel()
	if edit != nil {
		edit(&t)
	}
	p := dataplane.Port{
		Name: site, Kind: overlay.PortSegment, Device: t.Spec.Device, Tunnel: &t,
		Attach: overlay.Attach{Type: overlay.AttachTunnel, Target: "site"},
	}
	for _, h := range published {
		p.Stations = append(p.Stations, h.mac)
	}
	x.apply(x.edited(func(n *dataplane.Network) { n.Ports[site] = p }))
}

// fromSite is the packet in which the peer sends a frame here.
func (x *exam) fromSite(inner []byte) []byte {
	return wrap(x.encapsulation, x.kind, encap.Outer{
		Src: x.vtep(nodeD), Dst: x.vtep(here), DstPort: x.encapsulation.DefaultPort(), VNI: siteKey,
	}, inner)
}

// toSite is the delivery of a frame to the peer.
func (x *exam) toSite(inner []byte, free ...Freedom) Delivery {
	return Delivery{
		At: Underlay, Via: x.vtep(nodeD), Freedom: Tunnelled | union(free),
		Bytes: wrap(x.encapsulation, x.kind, encap.Outer{
			Src: x.vtep(here), Dst: x.vtep(nodeD), SrcPort: 0xc000, DstPort: x.encapsulation.DefaultPort(), VNI: siteKey,
		}, inner),
	}
}

func tunnelSegment(x *exam) {
	a, b, c, s := x.alice(), x.bob(), x.carol(), x.sara()
	x.openTunnel(nil)
	x.drop(a.place(), ping(x.sent(a, s)), overlay.DropUnknownUnicast)
	x.send(Underlay, x.fromSite(ping(x.sent(s, a))), x.at(a, ping(x.sent(s, a))))
	x.send(a.place(), pong(x.sent(a, s)), x.toSite(pong(x.sent(a, s))))
	x.send(Underlay, x.from(c.node, blue, ping(x.sent(c, s))), x.toSite(ping(x.sent(c, s))))
	x.send(Underlay, x.fromSite(pong(x.sent(s, c))), x.to(c.node, s, pong(x.sent(s, c))))
	x.drop(Underlay, x.fromSite(ping(x.sent(a, b))), overlay.DropSpoofedMAC)
	x.send(Underlay, x.fromSite(ping(x.sent(s, b))), x.at(b, ping(x.sent(s, b))))
	x.drop(Underlay, x.fromSite(ping(x.sent(s, x.sven()))), overlay.DropUnknownUnicast)
}

func tunnelBroadcast(x *exam) {
	a, b, s := x.alice(), x.bob(), x.sara()
	x.openTunnel(nil)
	frame := x.shout()
	x.send(a.place(), frame, x.at(b, frame), x.toSite(frame), x.to(nodeB, a, frame), x.to(nodeC, a, frame))
	x.send(Underlay, x.from(nodeB, blue, x.multicast(x.carol())), x.at(a, x.multicast(x.carol())), x.at(b, x.multicast(x.carol())), x.toSite(x.multicast(x.carol())))
	frame = ask(s, x.nobody().ip)
	x.send(Underlay, x.fromSite(frame), x.at(a, frame), x.at(b, frame), x.to(nodeB, a, frame), x.to(nodeC, a, frame))
}

func tunnelPublished(x *exam) {
	a, s := x.alice(), x.sara()
	x.openTunnel(nil, s)
	x.send(a.place(), ping(x.sent(a, s)), x.toSite(ping(x.sent(a, s))))
}

// forwarded are the ends of a packet that a router has sent on so often.
func forwarded(e packet.Ends, hops uint8) packet.Ends {
	e.TTL = 64 - hops
	return e
}

func tunnelRouted(x *exam) {
	a, c, s := x.alice(), x.carol(), x.sara()
	x.openTunnel(nil)
	x.send(a.place(), ping(x.sent(a, s)), x.toSite(ping(forwarded(x.sent(a, s), 1))))
	x.send(Underlay, x.fromSite(pong(x.sent(s, a))), x.at(a, pong(forwarded(x.received(s, a), 1))))
	x.send(Underlay, x.from(c.node, blue, ping(x.tunnelled(c, s))), x.toSite(ping(forwarded(x.sent(c, s), 2))))
	wire := x.tunnelled(s, c)
	wire.SrcMAC = overlay.VTEPMACFor(here)
	x.send(Underlay, x.fromSite(pong(x.sent(s, c))), x.to(c.node, a, pong(wire)))
	gateway := packet.Ends{SrcMAC: s.mac, DstMAC: a.mac, Src: s.ip, Dst: x.gatewayHost().ip}
	x.send(Underlay, x.fromSite(ping(gateway)), x.toSite(pong(gateway.Back()), Made))
}

func tunnelSpoofed(x *exam) {
	a, b, c, s := x.alice(), x.bob(), x.carol(), x.sara()
	everywhere := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if x.overlay == overlay.V6 {
		everywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	elsewhere := s
	elsewhere.ip = inSite(x.overlay, 2).Prev()
	for range 3 {
		elsewhere.ip = elsewhere.ip.Prev() // below the prefix
	}
	for _, route := range []netip.Prefix{{}, everywhere} {
		x.openTunnel(func(t *dataplane.Tunnel) {
			if route.IsValid() {
				t.Spec.Routes = []overlay.TunnelRoute{{Prefix: route}}
			}
		})
		for _, forged := range []host{b, c, x.gatewayHost()} {
			x.drop(Underlay, x.fromSite(ping(x.sent(forged, a))), overlay.DropSpoofedIP)
		}
		if !route.IsValid() {
			x.drop(Underlay, x.fromSite(ping(x.sent(elsewhere, a))), overlay.DropSpoofedIP)
		}
		x.send(Underlay, x.fromSite(ping(x.sent(s, a))), x.at(a, ping(forwarded(x.received(s, a), 1))))
	}
}

// The sender is told, as by a device of the kernel's.
func tunnelTooLarge(x *exam) {
	a, s := x.alice(), x.sara()
	const mtu = 1300
	x.openTunnel(func(t *dataplane.Tunnel) { t.MTU = mtu })
	x.send(a.place(), sized(x.sent(a, s), mtu), x.toSite(sized(forwarded(x.sent(a, s), 1), mtu)))
	notice := func(e packet.Ends, offending []byte) ([]byte, error) {
		if e.Src.Is4() {
			return packet.FragNeeded(e, mtu, offending)
		}
		return packet.PacketTooBig(e, mtu, offending)
	}
	x.refused(a, overlay.DropTooBig, notice, sized(x.sent(a, s), mtu+1))
}

func tunnelGone(x *exam) {
	a, s := x.alice(), x.sara()
	x.openTunnel(nil)
	x.send(a.place(), ping(x.sent(a, s)), x.toSite(ping(forwarded(x.sent(a, s), 1))))
	x.change(x.edited(func(n *dataplane.Network) { delete(n.Ports, site) }))
	x.send(a.place(), ping(x.sent(a, x.carol())), x.to(nodeB, a, ping(x.tunnelled(a, x.carol()))))
	x.openTunnel(nil)
	x.send(Underlay, x.fromSite(pong(x.sent(s, a))), x.at(a, pong(forwarded(x.received(s, a), 1))))
}
