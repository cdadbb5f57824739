package nft

import (
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// Names in the host's table. Those with a network's name behind are the
// network's own.
const (
	networks   = "networks" // where packets of a family, port and VNI are checked
	tunnels    = "tunnels"  // UDP ports of tunnels
	underlay   = "underlay" // the chain that sees them
	sent       = "sent"     // the chain that sees those of this host
	ofNetwork  = "network/"
	membersOf  = "members"                           // and the IP version
	strangers  = string(overlay.DropNotMember) + "/" // a counter
	unknownVNI = string(overlay.DropUnknownVNI)      // a counter
	malformed  = string(overlay.DropMalformed)       // a counter
)

// Host is the filter in the host's namespace: which tunnel packets the networks
// take, and what is kept from the host's own firewall. direct says how the
// unencapsulated packets of networks pass the host, if they have any.
//
// A tunnel packet from no member of its network is dropped. One with a VNI that neither
// a network nor a tunnel here has is counted and let go: another vxlan device may listen
// on the port, and where there is none the kernel drops it. So with such a device the
// count is of its packets too.
//
// The chain is on the input hook: it sees packets for this host only, as the
// tunnel's socket does, and IPv4 packets as they were before fragmentation. Not so
// in IPv6, where a first fragment could end before the VNI: fragments to a tunnel
// are dropped, as RFC 7348 section 4.3 allows. Its sender must not make any.
func Host(s dataplane.State, direct map[overlay.NetworkName]Direct) Ruleset {
	r := Ruleset{}
	for _, n := range s.Networks {
		if n.Encapsulation == overlay.EncapVXLAN {
			tunnelChecks(r.table(INet))
			members(r.table(INet), n)
			if n.Plane == overlay.PlaneEBPF {
				checkedBefore(r.table(INet))
			}
		}
		if n.Encapsulation == overlay.EncapUDP { // its forwarder looks at members
			tunnelChecks(r.table(INet))
			r.table(INet).Sets[tunnels].Elements[portBytes(n.Port)] = ""
		}
		for _, p := range n.Ports {
			if p.Tunnel != nil && isChecked(*p.Tunnel) {
				tunnelChecks(r.table(INet))
			}
		}
		if d, ok := direct[n.Name]; ok {
			untracking(r.table(INet))
			untracked(r.table(INet), n)
			forwarded(r.table(Netdev), n, d)
		}
	}
	if _, checked := r[INet].Chains[underlay]; checked {
		toTunnels(r.table(INet), s)
	}
	return r
}

// toTunnels lets pass what is for tunnels to peers without Weft: those know no members.
func toTunnels(t Table, s dataplane.State) {
	for _, tunnel := range s.Tunnels {
		toTunnel(t, tunnel, acceptVerdict)
	}
	for _, n := range s.Networks {
		for _, p := range n.Ports {
			if p.Tunnel == nil {
				continue
			}
			verdict := acceptVerdict
			if isChecked(*p.Tunnel) {
				verdict = gotoVerdict + peer(t, n, *p.Tunnel)
			}
			toTunnel(t, *p.Tunnel, verdict)
		}
	}
}

func toTunnel(t Table, tunnel dataplane.Tunnel, verdict string) {
	if tunnel.Spec.Mode != overlay.TunnelVXLAN || !tunnel.Local.IsValid() {
		return
	}
	key := join(familyOf(tunnel.Local).family, portBytes(tunnel.Spec.Port), vniBytes(tunnel.Spec.VNI))
	if _, taken := t.Sets[networks].Elements[key]; !taken {
		t.Sets[networks].Elements[key] = verdict
	}
	if tunnel.Spec.Plane == overlay.PlaneEBPF {
		checkedBefore(t)
	}
}

// familyOf is what rules say of an address's.
func familyOf(a netip.Addr) version {
	if a.Is6() {
		return versions[1]
	}
	return versions[0]
}

// tunnelChecks adds what is there for all tunnels.
func tunnelChecks(t Table) {
	if _, ok := t.Chains[underlay]; ok {
		return
	}
	t.Counters[unknownVNI], t.Counters[malformed] = struct{}{}, struct{}{}
	t.share(tunnels, networks)
	udp := is(TransportProtocol, transportUDP)
	t.Chains[underlay] = Chain{Hook: Hook{Name: "input", Priority: priority}, Rules: []Rule{
		{is(NetworkProtocol, familyIPv6), is(FragmentHeader, "\x01"), udp, in(tunnels, UDPDestination), Count{malformed}, drop},
		{udp, Dispatch{keyOf(NetworkProtocol, UDPDestination, VXLANVNI), networks}},
		{
			udp, in(tunnels, UDPDestination),
			is(VXLANFlags, "\x08\x00\x00\x00"), is(VXLANReserved2, "\x00"), Count{unknownVNI},
		},
	}}
	// What this host sends has the VTEP's address. A masquerade of everything that
	// leaves would give it the NIC's first one, which may be another, and which
	// the other nodes would not take for a member's.
	t.Chains[sent] = Chain{Hook: Hook{Name: "output", Priority: priority}, Rules: []Rule{
		{udp, in(tunnels, UDPDestination), Notrack{}},
	}}
}

// checkedBefore lets pass at once what programs have checked: they see all packets of
// their networks first, and what they have not marked is still looked at.
func checkedBefore(t Table) {
	c := t.Chains[underlay]
	marked := Rule{is(Mark, ofMember), accept}
	if !slices.ContainsFunc(c.Rules, func(r Rule) bool { return slices.Equal(r, marked) }) {
		c.Rules = slices.Insert(c.Rules, 0, marked)
		t.Chains[underlay] = c
	}
}

// members adds the network's check.
func members(t Table, n dataplane.Network) {
	v, name := familyOf(n.Local), string(n.Name)
	t.Counters[strangers+name] = struct{}{}
	t.Sets[tunnels].Elements[portBytes(n.Port)] = ""
	t.Sets[networks].Elements[join(v.family, portBytes(n.Port), vniBytes(n.VNI))] = gotoVerdict + ofNetwork + name
	if n.Group.IsValid() {
		// Whoever joins a group is a member (RFC 7348 section 4.2).
		t.Chains[ofNetwork+name] = Chain{Rules: []Rule{
			{is(NetworkProtocol, v.family), accept},
			{Count{strangers + name}, drop},
		}}
		return
	}
	set := newSet(v.source)
	for _, m := range n.Members {
		if v.has(m.VTEP) {
			set.Elements[addressBytes(m.VTEP)] = ""
		}
	}
	members := membersOf + v.digit + "/" + name
	t.Sets[members] = set
	t.Chains[ofNetwork+name] = Chain{Rules: []Rule{
		{is(NetworkProtocol, v.family), in(members, v.source), accept},
		{Count{strangers + name}, drop},
	}}
}

// share adds sets that networks share, without elements.
func (t Table) share(names ...string) {
	for _, name := range names {
		s := sharedSets[name]
		s.Elements = map[string]string{}
		t.Sets[name] = s
	}
}

// subnets are a network's.
func subnets(n dataplane.Network) []netip.Prefix {
	var all []netip.Prefix
	for _, g := range n.Gateways {
		all = append(all, g.Masked())
	}
	return all
}
