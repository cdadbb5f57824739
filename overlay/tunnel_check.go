package overlay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Validate implements Resource. Whether the network that it is attached to fits, and whether
// the node can do it, only others can tell.
func (t *Tunnel) Validate() error {
	if err := CheckName("tunnel", t.Name); err != nil {
		return err
	}
	s := t.Spec.Complete(TunnelName(t.Name))
	for _, check := range []func(TunnelSpec) error{
		checkTunnelPlace, checkTunnelRemote, checkTunnelOptions, checkTunnelEntries, checkTunnelKeepAlive, t.checkAttached, checkTunnelPaths, t.checkWayOut,
	} {
		if err := check(s); err != nil {
			return fmt.Errorf("tunnel %s: %w", t.Name, err)
		}
	}
	return nil
}

func checkTunnelPlace(s TunnelSpec) error {
	if err := CheckName("node", string(s.Node)); err != nil {
		return err
	}
	if !slices.Contains(TunnelModes(), s.Mode) {
		return fmt.Errorf("mode %q: want vxlan, geneve, gre, gretap, ipip, sit or udp", s.Mode)
	}
	if !slices.Contains([]PlaneName{PlaneAuto, PlaneKernel, PlaneEBPF, PlaneUser}, s.Plane) {
		return fmt.Errorf("plane %q: want auto, kernel, ebpf or user", s.Plane)
	}
	if s.Underlay != "" {
		if err := CheckInterfaceName("underlay device", s.Underlay); err != nil {
			return err
		}
	}
	switch {
	case slices.Contains(kernelsOwn(), s.Device):
		return fmt.Errorf("device %s is the kernel's own; want another name", s.Device)
	case s.Device == s.Underlay:
		return fmt.Errorf("device %s is the underlay; want another name for the tunnel's own", s.Device)
	}
	return CheckInterfaceName("device", s.Device)
}

// kernelsOwn are interfaces that the kernel makes by itself, in every namespace, once it has loaded
// what its tunnels are made of (net.core.fb_tunnels_only_for_init_net in ip-sysctl.rst).
func kernelsOwn() []string {
	return []string{"lo", "gre0", "gretap0", "erspan0", "tunl0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"}
}

func checkTunnelRemote(s TunnelSpec) error {
	remote, isAddr := s.RemoteAddr()
	switch {
	case s.Remote == "":
		return fmt.Errorf("no remote; give the peer's address or DNS name with --remote")
	case !isAddr && !isHostName(s.Remote):
		return fmt.Errorf("remote %q: want an address or a DNS name", s.Remote)
	case isAddr && (remote.Is4In6() || remote.Zone() != "" || remote.IsUnspecified() || remote.IsLoopback() || remote == broadcast):
		return fmt.Errorf("remote %s: want the address that the peer has on the underlay", remote)
	case s.Group() && s.Mode != TunnelVXLAN:
		return fmt.Errorf("remote %s is a multicast group, which mode %s cannot send to; want mode vxlan or the peer's address", remote, s.Mode)
	case s.Group() && s.Underlay == "":
		return fmt.Errorf("remote %s is a multicast group: say by which device with --underlay", remote)
	}
	if !s.Local.IsValid() {
		return nil
	}
	switch {
	case !s.Local.IsGlobalUnicast() || s.Local.Is4In6() || s.Local.Zone() != "":
		return fmt.Errorf("local %s: want an address that the node has on the underlay", s.Local)
	case isAddr && FamilyOf(s.Local) != FamilyOf(remote):
		return fmt.Errorf("local %s and remote %s are of different families; want both IPv4 or both IPv6", s.Local, remote)
	case isAddr && s.Local == remote:
		return fmt.Errorf("local and remote are both %s; want the peer's address as remote", remote)
	}
	return nil
}

// broadcast is everybody on a segment (RFC 919).
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// isHostName reports whether s can be looked up (RFC 1123 section 2.1).
func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	digits := true
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if CheckName("label", strings.ToLower(label)) != nil {
			return false
		}
		digits = strings.Trim(label, "0123456789") == ""
	}
	return !digits // 10.0.0.256 is an address with a mistake
}

// checkTunnelOptions: each mode has its own.
func checkTunnelOptions(s TunnelSpec) error {
	vxlan := s.Mode == TunnelVXLAN
	switch {
	case s.Mode.HasVNI() && !s.VNI.Valid():
		return fmt.Errorf("VNI %d: want 1 to %d", s.VNI, MaxVNI)
	case !s.Mode.HasVNI() && s.VNI != 0:
		return lacks(s.Mode, "VNI", "vxlan or geneve")
	case s.Mode.DefaultPort() == 0 && s.Port != 0:
		return lacks(s.Mode, "UDP port", "vxlan, geneve or udp")
	case !s.Mode.IsGRE() && (s.InKey != nil || s.OutKey != nil):
		return lacks(s.Mode, "key", "gre or gretap")
	case !s.Mode.IsGRE() && (s.InChecksum || s.OutChecksum):
		return lacks(s.Mode, "checksum of its own", "gre or gretap")
	case !s.Mode.IsGRE() && (s.InSequence || s.OutSequence):
		return lacks(s.Mode, "sequence numbers", "gre or gretap")
	case s.Mode.DefaultPort() == 0 && s.UDPChecksum != nil:
		return lacks(s.Mode, "UDP checksum", "vxlan, geneve or udp")
	case !vxlan && s.SourcePorts != nil:
		return lacks(s.Mode, "range of source ports", "vxlan")
	case !vxlan && (s.Learning != nil || s.AgeingSeconds != 0 || s.Proxy || len(s.FDB) > 0):
		return lacks(s.Mode, "stations (learning, ageing, proxy, fdb)", "vxlan")
	case !s.Mode.Ethernet() && (!s.MAC.IsZero() || len(s.Neighbors) > 0):
		return lacks(s.Mode, "MAC addresses", "vxlan, geneve or gretap")
	case s.NoPMTUDiscovery && !s.TTL.Inherit && (s.Mode == TunnelIPIP || s.Mode == TunnelSIT):
		// ip-tunnel(8) refuses it: what goes round in circles would neither run out of hops nor of room.
		return fmt.Errorf("mode %s without path MTU discovery wants ttl inherit", s.Mode)
	case s.AgeingSeconds < 0 || s.AgeingSeconds > 86400:
		return fmt.Errorf("ageing of %d seconds: want 1 to 86400", s.AgeingSeconds)
	case !s.MAC.IsZero() && !s.MAC.IsUnicast():
		return fmt.Errorf("MAC %s is a multicast address; the first octet must be even", s.MAC)
	case s.MTU != 0 && (s.MTU < 68 || s.MTU > 65535):
		return fmt.Errorf("MTU %d: want 68 to 65535 bytes, or none to have it computed", s.MTU)
	case s.MTU != 0 && s.MTU < minMTU6 && s.carriesIPv6():
		return fmt.Errorf("MTU %d: IPv6 needs %d bytes", s.MTU, minMTU6)
	case s.SourcePorts != nil && (s.SourcePorts.Low == 0 || s.SourcePorts.Low > s.SourcePorts.High):
		return fmt.Errorf("source ports %s: want a range such as 32768-60999", s.SourcePorts)
	}
	return nil
}

// carriesIPv6 reports whether the tunnel is to carry IPv6, as far as the spec says so.
func (s TunnelSpec) carriesIPv6() bool {
	return s.Mode == TunnelSIT ||
		slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.IsValid() && FamilyOf(p.Addr()) == V6 }) ||
		slices.ContainsFunc(s.Routes, func(r TunnelRoute) bool { return r.Prefix.IsValid() && FamilyOf(r.Prefix.Addr()) == V6 })
}

func lacks(m TunnelMode, what, modes string) error {
	return fmt.Errorf("mode %s has no %s; want mode %s, or leave it out", m, what, modes)
}

// checkTunnelEntries: stations and neighbours by hand. Only the MAC of zeros may have several
// VTEPs: frames go to each.
func checkTunnelEntries(s TunnelSpec) error {
	stations := map[TunnelStation]bool{}
	for _, e := range s.FDB {
		switch key := stationKey(e); {
		case !isPlain(e.VTEP) || e.VTEP.IsMulticast() || !s.sameFamily(e.VTEP):
			return fmt.Errorf("fdb entry %s: VTEP %s: want an address of the underlay's family", e.MAC, e.VTEP)
		case !e.MAC.IsZero() && !e.MAC.IsUnicast():
			return fmt.Errorf("fdb entry %s: want a unicast MAC, or all zeros for all others", e.MAC)
		case stations[key]:
			return fmt.Errorf("fdb entry %s is there twice", e.MAC)
		default:
			stations[key] = true
		}
	}
	neighbors := map[netip.Addr]bool{}
	for _, n := range s.Neighbors {
		switch {
		case !isPlain(n.Address) || n.Address.IsMulticast() || !n.MAC.IsUnicast():
			return fmt.Errorf("neighbor %s at %s: want a unicast address and a unicast MAC", n.Address, n.MAC)
		case neighbors[n.Address]:
			return fmt.Errorf("neighbor %s is there twice", n.Address)
		}
		neighbors[n.Address] = true
	}
	return nil
}

// stationKey is what an entry may not share with another.
func stationKey(e TunnelStation) TunnelStation {
	if !e.MAC.IsZero() {
		e.VTEP = netip.Addr{}
	}
	return e
}

// isPlain reports whether a is an address of something, written as its family is.
func isPlain(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.Is4In6() && a.Zone() == ""
}

// sameFamily reports whether an outer address is of the family of those that are known.
func (s TunnelSpec) sameFamily(a netip.Addr) bool {
	remote, ok := s.RemoteAddr()
	return (!ok || FamilyOf(remote) == FamilyOf(a)) && (!s.Local.IsValid() || FamilyOf(s.Local) == FamilyOf(a))
}

func checkTunnelKeepAlive(s TunnelSpec) error {
	k := s.KeepAlive
	switch {
	case k == nil:
		return nil
	case !isPlain(k.Target) || k.Target.IsMulticast() || !s.Mode.Carries(FamilyOf(k.Target)):
		return fmt.Errorf("keep-alive target %s: want an address at the other end that mode %s carries", k.Target, s.Mode)
	case k.IntervalMilliseconds < 100 || k.IntervalMilliseconds > 60000:
		return fmt.Errorf("keep-alive every %d ms: want 100 to 60000", k.IntervalMilliseconds)
	case k.Misses < 1 || k.Misses > 100:
		return fmt.Errorf("keep-alive after %d misses: want 1 to 100", k.Misses)
	}
	return nil
}

// checkAttached: what is attached to a network has no addresses of its own.
func (t *Tunnel) checkAttached(s TunnelSpec) error {
	if t.Network == "" {
		return nil
	}
	if err := CheckName("network", string(t.Network)); err != nil {
		return err
	}
	switch {
	case len(s.Addresses) > 0:
		return fmt.Errorf("a tunnel that is attached to a network has no addresses: the network's gateway has them")
	case s.Mode.Ethernet() && len(s.Routes) > 0:
		return fmt.Errorf("mode %s is a part of the network's segment and has no routes; want mode gre, ipip, sit or udp on a routed network", s.Mode)
	case len(s.Neighbors) > 0 || s.Proxy:
		return fmt.Errorf("a tunnel that is attached to a network has no neighbours of its own: the network answers ARP and ND")
	}
	return nil
}

// checkTunnelPaths: addresses and routes are such that the mode carries.
func checkTunnelPaths(s TunnelSpec) error {
	held := map[netip.Addr]bool{}
	for _, p := range s.Addresses {
		a := p.Addr()
		switch {
		case !p.IsValid() || a.Is4In6() || !a.IsGlobalUnicast() && !a.IsLinkLocalUnicast():
			return fmt.Errorf("address %s: want a unicast address with a prefix length, such as 10.1.1.1/24", p)
		case !s.Mode.Carries(FamilyOf(a)):
			return refusesFamily(s.Mode, "address", p)
		case held[a]:
			return fmt.Errorf("address %s is there twice", a)
		}
		held[a] = true
	}
	seen := map[TunnelRoute]bool{}
	for _, r := range s.Routes {
		key := TunnelRoute{Prefix: r.Prefix, Metric: r.Metric}
		switch {
		case !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() || r.Prefix.Addr().Is4In6():
			return fmt.Errorf("route %s: want a prefix such as 10.0.2.0/24", r.Prefix)
		case !s.Mode.Carries(FamilyOf(r.Prefix.Addr())):
			return refusesFamily(s.Mode, "route", r.Prefix)
		case r.Via.IsValid() && (FamilyOf(r.Via) != FamilyOf(r.Prefix.Addr()) || r.Via.IsMulticast() || r.Via.IsUnspecified()):
			return fmt.Errorf("route %s via %s: want a next hop of the same family", r.Prefix, r.Via)
		case seen[key]:
			return fmt.Errorf("route %s is there twice; give them different metrics", r.Prefix)
		}
		seen[key] = true
	}
	return nil
}

func refusesFamily(m TunnelMode, what string, p netip.Prefix) error {
	inside := "IPv4"
	if m == TunnelSIT {
		inside = "IPv6"
	}
	return fmt.Errorf("%s %s: mode %s carries %s alone; want mode gre for both", what, p, m, inside)
}
