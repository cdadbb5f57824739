package dataplanetest

import (
	"net/netip"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// Tunnels that are part of a network lead to peers that Weft does not manage. In a bridged
// network who is behind one is behind a segment port; in a routed one it is another link of
// the router's.

// fromPeer forwards what comes from the peer of such a tunnel; false: it is none's.
func fromPeer(s dataplane.State, learnt Stations, outer ipPacket) (Result, bool) {
	for _, n := range s.Networks {
		for _, p := range n.Ports {
			if p.Tunnel == nil || outer.src != p.Tunnel.Remote || outer.dst != p.Tunnel.Local || !outer.whole {
				continue
			}
			o, inner, err := encap.UnwrapTunnel(p.Tunnel.Spec.Mode, outer.bytes, p.Tunnel.Spec.Port)
			if err != nil || o.VNI != keyOf(*p.Tunnel, p.Tunnel.Spec.InKey) {
				continue
			}
			r := inPeer(n, learnt[n.Name], p, o.Inner, inner, outer.tos&ecnMask).in(n)
			r.Tunnel = p.Name
			return r, true
		}
	}
	return Result{}, false
}

func inPeer(n dataplane.Network, learnt map[overlay.MAC]overlay.EndpointName, p dataplane.Port, kind packet.EtherType, inner []byte, ecn uint8) Result {
	f := frame{packet.Ethernet{Type: kind}, inner, inner}
	if kind == packet.TypeTEB {
		var err error
		if f, err = parseFrame(inner); err != nil {
			return dropped(overlay.DropMalformed)
		}
	}
	f, err := passMark(f, ecn)
	if err != nil {
		return dropped(overlay.DropMalformed)
	}
	if n.Kind == overlay.Bridged {
		return fromPort(n, learnt, p, f.bytes)
	}
	ip, ok := f.ip()
	switch {
	case !ok:
		return dropped(overlay.DropMalformed)
	case !isBehind(n, *p.Tunnel, ip.src):
		return dropped(overlay.DropSpoofedIP)
	}
	return router{n}.route(ip)
}

// isBehind reports whether an address is behind a tunnel of a routed network: by its routes, of
// which one that has it has to be longer than the subnet that does.
func isBehind(n dataplane.Network, t dataplane.Tunnel, a netip.Addr) bool {
	own, ok := routeTo(t, a)
	for _, g := range n.Gateways {
		if g.Masked().Contains(a) && own.Bits() < g.Bits() {
			return false
		}
	}
	return ok || t.Spec.KeepAlive != nil && t.Spec.KeepAlive.Target == a
}

// routeTo is the longest of a tunnel's routes that has the address.
func routeTo(t dataplane.Tunnel, a netip.Addr) (best netip.Prefix, ok bool) {
	for _, r := range t.Spec.Routes {
		if r.Prefix.Contains(a) && (!ok || r.Prefix.Bits() > best.Bits()) {
			best, ok = r.Prefix, true
		}
	}
	return best, ok
}

// toPeer is the delivery of a frame to a tunnel's peer.
func toPeer(n dataplane.Network, t dataplane.Tunnel, inner []byte, free Freedom) Delivery {
	n.Encapsulation, n.Local, n.Port = encapsulationOf(t.Spec.Mode), t.Local, t.Spec.Port
	n.VNI = keyOf(t, t.Spec.OutKey)
	return encapsulate(n, dataplane.Member{VTEP: t.Remote}, inner, free)
}

func encapsulationOf(m overlay.TunnelMode) overlay.Encapsulation {
	if m == overlay.TunnelGRETAP {
		return overlay.EncapGRE
	}
	return overlay.Encapsulation(m) // the same words
}

// keyOf is a tunnel's VNI, or one of its keys of GRE's.
func keyOf(t dataplane.Tunnel, key *overlay.GREKey) overlay.VNI {
	if key != nil {
		return overlay.VNI(*key)
	}
	return t.Spec.VNI
}

// toTunnel is the hop to what is behind a tunnel.
func (r router) toTunnel(t dataplane.Tunnel) hop {
	return hop{t.MTU, func(kind packet.EtherType, ip []byte, free Freedom) Delivery {
		return toPeer(r.Network, t, ethernet(r.VTEPMAC, r.VTEPMAC, kind, ip), free)
	}}
}
