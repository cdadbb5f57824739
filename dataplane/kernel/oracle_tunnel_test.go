package kernel

import (
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// state is what is to be forwarded.
func (s oracleState) state() dataplane.State {
	state := node(s.kind, s.underlay, s.edits...)
	state.Tunnels = tunnelState(s.tunnels...).Tunnels
	return state
}

// with has tunnels, too, that stand alone.
func (s oracleState) with(tunnels ...dataplane.Tunnel) oracleState {
	s.tunnels = slices.Concat(s.tunnels, tunnels)
	return s
}

// oracleTunnel is a tunnel of an oracle host's: no option of it is a default.
func oracleTunnel(name overlay.TunnelName, local, remote string, s overlay.TunnelSpec) dataplane.Tunnel {
	s.Node, s.Plane, s.Remote, s.MTU = "a", overlay.PlaneKernel, remote, 1432
	return dataplane.Tunnel{
		Name: name, Spec: s.Complete("neta"), Local: netip.MustParseAddr(local), Remote: netip.MustParseAddr(remote), MTU: s.MTU,
	}
}

// vxlanTunnel has all that vxlan has over IPv4.
func vxlanTunnel() dataplane.Tunnel {
	no, far := false, overlay.MAC{0x02, 0x75, 0, 0, 1, 2}
	return oracleTunnel("neta", "192.0.2.1", "192.0.2.7", overlay.TunnelSpec{
		Mode: overlay.TunnelVXLAN, VNI: 42, Port: 8472, Underlay: "eth0", MAC: overlay.MAC{0x02, 0x75, 0, 0, 1, 1},
		TTL: overlay.TTL{Hops: 9}, TOS: overlay.TOS{Fixed: true, Value: 0x10}, SourcePorts: &overlay.PortRange{Low: 40000, High: 41000},
		UDPChecksum: &no, Learning: &no, AgeingSeconds: 60, Proxy: true,
		FDB: []overlay.TunnelStation{
			{VTEP: netip.MustParseAddr("192.0.2.8")}, {MAC: far, VTEP: netip.MustParseAddr("192.0.2.8")},
		},
		Neighbors: []overlay.TunnelNeighbor{{Address: netip.MustParseAddr("10.20.1.3"), MAC: far}},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.20.1.1/32"), netip.MustParsePrefix("fd20::1/64")},
		Routes: []overlay.TunnelRoute{
			{Prefix: netip.MustParsePrefix("10.21.0.0/16"), Via: netip.MustParseAddr("10.20.1.3"), Metric: 20},
			{Prefix: netip.MustParsePrefix("10.22.0.0/16")}, {Prefix: netip.MustParsePrefix("fd22::/64"), Via: netip.MustParseAddr("fd20::3")},
		},
	})
}

// vxlanTunnel6 has what it has over IPv6 alone.
func vxlanTunnel6() dataplane.Tunnel {
	t := oracleTunnel("netb", "2001:db8:ffff::1", "2001:db8:ffff::7", overlay.TunnelSpec{
		Device: "neta6", Mode: overlay.TunnelVXLAN, VNI: 43, TTL: overlay.TTL{Inherit: true}, MAC: overlay.MAC{0x02, 0x75, 0, 0, 1, 3},
	})
	return t
}

// vxlanGroup sends to a group.
func vxlanGroup() dataplane.Tunnel {
	return oracleTunnel("netc", "192.0.2.1", "239.1.1.1", overlay.TunnelSpec{
		Device: "neta4", Mode: overlay.TunnelVXLAN, VNI: 44, TTL: overlay.TTL{Hops: 2}, Underlay: "eth0", MAC: overlay.MAC{0x02, 0x75, 0, 0, 1, 4},
	})
}
