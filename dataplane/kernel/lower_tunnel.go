package kernel

import (
	"cmp"
	"hash/fnv"
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// LowerTunnels turns tunnels that stand alone into objects. They are all on the host, where
// users look for them: an interface, its addresses, and routes in the main table.
func LowerTunnels(all map[overlay.TunnelName]dataplane.Tunnel) Objects {
	o := NewObjects()
	for _, t := range all {
		o.lowerTunnel(t)
	}
	return o
}

// lowerTunnel adds a tunnel's objects.
func (o Objects) lowerTunnel(t dataplane.Tunnel) {
	id := LinkID{Host, t.Spec.Device}
	switch t.Spec.Plane {
	case overlay.PlaneKernel:
		link := tunnelLink(t)
		link.Alias, link.Up = tunnelAlias(t.Name), t.Remote.IsValid()
		o.Links[id] = link
		o.tunnelStations(id, t)
	case overlay.PlaneUser:
		link := o.userTunnel(id, t)
		link.Alias = tunnelAlias(t.Name)
		o.Links[id] = link
	case overlay.PlaneEBPF:
		o.Links[id] = o.programTunnel(id, tunnelAlias(t.Name), t)
	default:
		return
	}
	for _, a := range t.Spec.Addresses {
		if a.Addr().Is4() || t.Remote.IsValid() { // a link that is down keeps none of IPv6
			o.Addresses[Address{id, a}] = struct{}{}
		}
	}
	if !t.Remote.IsValid() { // nor does it keep neighbours
		return
	}
	for _, n := range t.Spec.Neighbors {
		o.Neighbors[NeighborKey{id, n.Address}] = n.MAC
	}
	if t.Down {
		return
	}
	for _, r := range t.Spec.Routes {
		key := RouteKey{NS: Host, Prefix: r.Prefix, Metric: metricIn(r)}
		o.Routes[key] = Route{Device: id.Name, Via: r.Via, OnLink: !onAddress(r.Via, t.Spec.Addresses), Protocol: Static}
	}
}

// metricIn is a route's metric as a RouteKey has it.
func metricIn(r overlay.TunnelRoute) int {
	if r.Prefix.Addr().Is6() && r.Metric == defaultMetric6 {
		return 0
	}
	return int(r.Metric)
}

// onAddress reports whether a next hop is, as far as the kernel can tell, on the link with
// the addresses. Of a /32 nobody else is.
func onAddress(via netip.Addr, addresses []netip.Prefix) bool {
	for _, a := range addresses {
		if a.Contains(via) {
			return true
		}
	}
	return !via.IsValid() || via.IsLinkLocalUnicast()
}

// tunnelStations adds what a vxlan link's FDB has by hand. An entry for its remote the link
// brings along (linkTable.isDefault).
func (o Objects) tunnelStations(id LinkID, t dataplane.Tunnel) {
	for _, e := range t.Spec.FDB {
		k := TunnelKey{Link: id, MAC: e.MAC}
		if e.MAC.IsZero() {
			k.Member = e.VTEP
		}
		if !e.MAC.IsZero() || e.VTEP != t.Remote {
			o.Tunnels[k] = e.VTEP
		}
	}
}

// tunnelLink is the link of a tunnel on the kernel plane, but for what tells whose it is.
func tunnelLink(t dataplane.Tunnel) Link {
	kind, protocol := kindOf(t.Spec.Mode, overlay.FamilyOf(t.Local))
	link := Link{Kind: kind, MAC: t.Spec.MAC, MTU: t.MTU, Outer: outerOf(t)}
	link.Outer.Protocol = protocol
	if kind == KindGeneve { // it is bound to nothing
		link.Outer.Local, link.Outer.Device = netip.Addr{}, ""
	}
	return link
}

// outerOf is what a tunnel's packets look like.
func outerOf(t dataplane.Tunnel) Outer {
	s, over6 := t.Spec, t.Local.Is6()
	o := Outer{
		Local: t.Local, Remote: t.Remote, Device: s.Underlay, VNI: s.VNI, TTL: s.TTL.Hops, TOS: inheritTOS,
		MayFragment: s.NoPMTUDiscovery && !over6,
		InFlags:     greFlagsOf(s.InKey, s.InChecksum, s.InSequence), OutFlags: greFlagsOf(s.OutKey, s.OutChecksum, s.OutSequence),
	}
	if !o.Remote.IsValid() {
		o.Remote = nowhere(t)
	}
	if s.TOS.Fixed {
		o.TOS = s.TOS.Value
	}
	if s.InKey != nil {
		o.InKey = *s.InKey
	}
	if s.OutKey != nil {
		o.OutKey = *s.OutKey
	}
	if s.Mode.HasVNI() {
		o.Port, o.InheritTTL = s.Port, s.TTL.Inherit
		o.ZeroChecksum6 = over6
		none := s.UDPChecksum != nil && !*s.UDPChecksum
		o.NoChecksum, o.ZeroChecksum6Tx = !over6 && none, over6 && none
	}
	if s.Mode == overlay.TunnelVXLAN {
		o.Learning, o.Proxy = s.Learning != nil && *s.Learning, s.Proxy
		o.Ageing = cmp.Or(uint32(s.AgeingSeconds), defaultAgeing)
		if s.SourcePorts != nil {
			o.SourcePorts = *s.SourcePorts
		}
	}
	return o
}

func greFlagsOf(key *overlay.GREKey, checksum, sequence bool) (f GREFlags) {
	if key != nil {
		f |= GREKeyed
	}
	if checksum {
		f |= GREChecksum
	}
	if sequence {
		f |= GRESequence
	}
	return f
}

// nowhere stands for a remote that nobody knows, on a link that is down until somebody does:
// without a remote the kernel has only one link of a kind and local address, and that would
// take packets from everybody. It is a reserved address (RFC 1112 section 4, RFC 6666),
// another one for each tunnel.
func nowhere(t dataplane.Tunnel) netip.Addr {
	h := fnv.New32a()
	h.Write([]byte(t.Name)) // never fails (hash.Hash)
	sum := h.Sum32()
	low := [3]byte{byte(sum >> 16), byte(sum >> 8), byte(sum)}
	if t.Local.Is4() {
		return netip.AddrFrom4([4]byte{0xf0 | byte(sum>>24)&0x0e, low[0], low[1], low[2]})
	}
	return netip.AddrFrom16([16]byte{0: 0x01, 12: byte(sum >> 24), 13: low[0], 14: low[1], 15: low[2]})
}

// tunnelAlias is the tag of a link of a tunnel that stands alone: that of a network's has the
// network's name before the slash.
func tunnelAlias(n overlay.TunnelName) string { return aliasPrefix + "/" + string(n) }

// lowerTunnelHost adds what a node needs to be a router between its tunnels and the hosts
// behind it. A tunnel that is down keeps it: its routes come back.
func lowerTunnelHost(o Objects, t dataplane.Tunnel) {
	for _, r := range t.Spec.Routes {
		o.forwards(r.Prefix)
	}
}
