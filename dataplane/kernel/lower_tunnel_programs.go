package kernel

import (
	"strings"

	"weft/dataplane"
	"weft/overlay"
)

// On the eBPF plane a tunnel is a veth. One end has the tunnel's name, addresses and routes,
// and is an interface like any other; what is sent out of it comes in at the other one, where
// a program wraps it, and what the peer sends leaves there, so that it is received by the
// first:
//
//	neta ── wt… (from_end)     underlay device (from_peer), wi… (from_tunnel)
//
// So tcpdump on the interface, its counters, the host's filters and its ICMP errors are as on
// a device of the kernel's. Where the first end is depends on who has the tunnel: the host; a
// bridged network, of which it is a port on the host, with from_port; or a routed network,
// whose domain has it, as on the kernel plane. Programs hand the domain what is routed there.

// programTunnel adds the links of a tunnel that programs forward for, but for the near end,
// which it returns: where that belongs is the caller's to say.
func (o Objects) programTunnel(id LinkID, alias string, t dataplane.Tunnel) Link {
	end := tunnelEnd(id.Name)
	near := Link{
		Kind: KindVeth, Alias: alias, MAC: t.Spec.MAC, MTU: t.MTU, Up: t.Remote.IsValid(), Peer: end,
		NoARP: !t.Spec.Mode.Ethernet(), NoIPv6: !t.Spec.Mode.Carries(overlay.V6),
	}
	o.Links[end] = Link{Kind: KindVeth, Alias: alias, MTU: t.MTU, Up: true, NoLinkLocal: true, NoIPv6: true, Peer: id}
	o.Forwarded[id] = ""
	if t.Local.IsValid() {
		o.Sysctls[forwardingOf(end, overlay.FamilyOf(t.Local))] = "1"
	}
	if hasIdle(t) {
		o.Links[tunnelIdle(id.Name)] = Link{
			Kind: KindVXLAN, Alias: alias, Up: true, NoLinkLocal: true, NoIPv6: true,
			Outer: Outer{VNI: t.Spec.VNI, Local: t.Local, Port: t.Spec.Port, ZeroChecksum6: t.Local.Is6(), Ageing: defaultAgeing},
		}
	}
	if isUnaided(t.Spec) {
		o.Unaided[id] = struct{}{}
	}
	return near
}

// hasIdle reports whether the kernel unwraps some of a tunnel's packets. Programs dress
// Geneve's as VXLAN for it.
func hasIdle(t dataplane.Tunnel) bool { return t.Spec.Mode.HasVNI() && t.Local.IsValid() }

// isUnaided reports whether programs need packets that nobody cuts, or gives a checksum, later
// on: they have a number, or a checksum over what is inside.
func isUnaided(s overlay.TunnelSpec) bool {
	return s.OutChecksum || s.OutSequence || s.UDPChecksum != nil && *s.UDPChecksum
}

// forwardingOf is the setting that has the host forward for a link: see lowering.forwards.
func forwardingOf(id LinkID, f overlay.Family) SysctlID {
	family := "ipv4"
	if f == overlay.V6 {
		family = "ipv6"
	}
	return SysctlID{id.NS, "net/" + family + "/conf/" + id.Name + "/forwarding"}
}

// isMarked reports whether a link is in the group of those that are half made until it has
// its tag: it is made on the host, where nothing else tells whose it is.
func (l Link) isMarked(id LinkID) bool {
	return l.Kind.isTunnel() || l.Kind == KindVeth && (id.isTunnelEnd() || l.Peer.isTunnelEnd())
}

func (id LinkID) isTunnelEnd() bool {
	return id.NS == Host && len(id.Name) == len("wt")+12 && strings.HasPrefix(id.Name, "wt")
}
