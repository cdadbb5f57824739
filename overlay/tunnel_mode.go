package overlay

import (
	"net/netip"
	"strconv"
	"strings"
)

// TunnelModes lists all modes.
func TunnelModes() []TunnelMode {
	return []TunnelMode{TunnelVXLAN, TunnelGeneve, TunnelGRE, TunnelGRETAP, TunnelIPIP, TunnelSIT, TunnelUDP}
}

// Ethernet reports whether the tunnel carries frames, and else packets.
func (m TunnelMode) Ethernet() bool {
	return m == TunnelVXLAN || m == TunnelGeneve || m == TunnelGRETAP
}

// IsGRE reports whether the outer protocol is GRE.
func (m TunnelMode) IsGRE() bool { return m == TunnelGRE || m == TunnelGRETAP }

// HasVNI reports whether packets carry a VNI.
func (m TunnelMode) HasVNI() bool { return m == TunnelVXLAN || m == TunnelGeneve }

// DefaultPort is the mode's UDP port; 0 for one without ports.
func (m TunnelMode) DefaultPort() uint16 {
	switch m {
	case TunnelVXLAN:
		return DefaultVXLANPort
	case TunnelGeneve:
		return DefaultGenevePort
	case TunnelUDP:
		return DefaultUDPPort
	}
	return 0
}

// Over is the mode over an underlay family, in one word: "gre", or "gre6" over IPv6.
func (m TunnelMode) Over(f Family) string {
	if f == V6 {
		return string(m) + "6"
	}
	return string(m)
}

// Carries reports whether packets of a family pass the tunnel.
func (m TunnelMode) Carries(f Family) bool {
	switch m {
	case TunnelIPIP:
		return f == V4
	case TunnelSIT:
		return f == V6
	}
	return true
}

// Complete fills in the defaults that the spec alone decides; name is the tunnel's.
func (s TunnelSpec) Complete(name TunnelName) TunnelSpec {
	s.Device = or(s.Device, string(name))
	s.Port = or(s.Port, s.Mode.DefaultPort())
	s.Plane = or(s.Plane, PlaneAuto)
	if s.Mode == TunnelVXLAN {
		s.AgeingSeconds = or(s.AgeingSeconds, 300)
		if s.Learning == nil {
			yes := true
			s.Learning = &yes
		}
	}
	if s.KeepAlive != nil {
		k := *s.KeepAlive
		k.IntervalMilliseconds, k.Misses = or(k.IntervalMilliseconds, 500), or(k.Misses, 3)
		s.KeepAlive = &k
	}
	return s
}

// RemoteAddr is the remote, if it is an address and no name.
func (s TunnelSpec) RemoteAddr() (netip.Addr, bool) {
	a, err := netip.ParseAddr(s.Remote)
	return a, err == nil
}

// Group reports whether the remote is a multicast group.
func (s TunnelSpec) Group() bool {
	a, ok := s.RemoteAddr()
	return ok && a.IsMulticast()
}

// Claims implements Resource: on a node an interface has one owner, and so has what tells a
// tunnel's packets from those of others.
func (t *Tunnel) Claims() []Claim {
	s := t.Spec.Complete(TunnelName(t.Name))
	return []Claim{
		Claim("device/" + string(s.Node) + "/link/" + s.Device),
		Claim("outer/" + string(s.Node) + "/" + s.Outer()),
	}
}

// Outer is what tells the tunnel's packets from those of the node's others. It is what the
// kernel goes by (ip_tunnel_find in net/ipv4/ip_tunnel.c, vxlan_vni_in_use in
// drivers/net/vxlan/vxlan_core.c): of GRE's keys the one of packets received, and of VXLAN neither
// address. Geneve is held to the same, for the planes that look up the VNI alone.
func (s TunnelSpec) Outer() string {
	words := []string{string(s.Mode), "any", s.Remote}
	if s.Local.IsValid() {
		words[1] = s.Local.String()
	}
	port := strconv.Itoa(int(or(s.Port, s.Mode.DefaultPort())))
	switch {
	case s.Mode.HasVNI():
		words = []string{string(s.Mode), s.VNI.String(), port}
	case s.Mode == TunnelUDP:
		words = append(words, port)
	case s.InKey != nil:
		words = append(words, s.InKey.String())
	}
	return strings.Join(words, "/")
}

// Needs implements Resource.
func (t *Tunnel) Needs() []Key {
	needs := []Key{{Kind: KindNode, Name: string(t.Spec.Node)}}
	if t.Network != "" {
		needs = append(needs, Key{Kind: KindNetwork, Name: string(t.Network)})
	}
	return needs
}
