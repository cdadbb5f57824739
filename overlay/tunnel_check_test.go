package overlay

import (
	"net/netip"
	"testing"
)

// TestTunnelRefusals has a line for each thing that is wrong with a tunnel by itself.
func TestTunnelRefusals(t *testing.T) {
	t.Parallel()
	address, prefix := netip.MustParseAddr, netip.MustParsePrefix
	mac := MAC{2, 0, 0, 0, 0, 9}
	asks := func(k KeepAlive) func(*TunnelSpec) { return func(s *TunnelSpec) { s.KeepAlive = &k } }
	leads := func(routes ...TunnelRoute) func(*TunnelSpec) { return func(s *TunnelSpec) { s.Routes = routes } }
	has := func(prefixes ...netip.Prefix) func(*TunnelSpec) {
		return func(s *TunnelSpec) { s.Addresses = prefixes }
	}
	knows := func(fdb ...TunnelStation) func(*TunnelSpec) { return func(s *TunnelSpec) { s.FDB = fdb } }
	meets := func(neighbors ...TunnelNeighbor) func(*TunnelSpec) {
		return func(s *TunnelSpec) { s.Neighbors = neighbors }
	}
	to := func(remote string) func(*TunnelSpec) { return func(s *TunnelSpec) { s.Remote = remote } }
	from := func(local netip.Addr) func(*TunnelSpec) { return func(s *TunnelSpec) { s.Local = local } }
	for _, tt := range []struct {
		name   string
		mode   TunnelMode
		change func(*TunnelSpec)
		want   string // after "tunnel neta: "
	}{
		{"node", TunnelGRE, func(s *TunnelSpec) { s.Node = "" }, "node: the name is missing"},
		{"mode", "quantum", nil, `mode "quantum": want vxlan, geneve, gre, gretap, ipip, sit or udp`},
		{"no mode", "", nil, `mode "": want vxlan, geneve, gre, gretap, ipip, sit or udp`},
		{"plane", TunnelGRE, func(s *TunnelSpec) { s.Plane = "air" }, `plane "air": want auto, kernel, ebpf or user`},
		{"underlay", TunnelGRE, func(s *TunnelSpec) { s.Underlay = "a/b" }, `underlay device "a/b": not an interface name; want letters, digits, dots and dashes`},
		{"device", TunnelGRE, func(s *TunnelSpec) { s.Device = "a-name-longer-than-15" }, `device "a-name-longer-than-15": an interface name has at most 15 characters`},
		{"the kernel's device", TunnelGRE, func(s *TunnelSpec) { s.Device = "gre0" }, "device gre0 is the kernel's own; want another name"},
		{"the underlay as device", TunnelGRE, func(s *TunnelSpec) { s.Device, s.Underlay = "eth0", "eth0" }, "device eth0 is the underlay; want another name for the tunnel's own"},

		{"no remote", TunnelGRE, to(""), "no remote; give the peer's address or DNS name with --remote"},
		{"an address with a mistake", TunnelGRE, to("10.0.0.256"), `remote "10.0.0.256": want an address or a DNS name`},
		{"a name with a mistake", TunnelGRE, to("peer..example"), `remote "peer..example": want an address or a DNS name`},
		{"a prefix", TunnelGRE, to("192.0.2.0/24"), `remote "192.0.2.0/24": want an address or a DNS name`},
		{"a mapped remote", TunnelGRE, to("::ffff:192.0.2.9"), "remote ::ffff:192.0.2.9: want the address that the peer has on the underlay"},
		{"a zone", TunnelGRE, to("fe80::1%eth0"), "remote fe80::1%eth0: want the address that the peer has on the underlay"},
		{"nobody", TunnelGRE, to("0.0.0.0"), "remote 0.0.0.0: want the address that the peer has on the underlay"},
		{"everybody", TunnelGRE, to("255.255.255.255"), "remote 255.255.255.255: want the address that the peer has on the underlay"},
		{"itself", TunnelGRE, to("127.0.0.1"), "remote 127.0.0.1: want the address that the peer has on the underlay"},
		{"a group", TunnelGRE, to("239.1.1.1"), "remote 239.1.1.1 is a multicast group, which mode gre cannot send to; want mode vxlan or the peer's address"},
		{"a group by no device", TunnelVXLAN, to("239.1.1.1"), "remote 239.1.1.1 is a multicast group: say by which device with --underlay"},
		{"a group by a device", TunnelVXLAN, func(s *TunnelSpec) { s.Remote, s.Underlay = "239.1.1.1", "eth0" }, ""},
		{"local loopback", TunnelGRE, from(address("127.0.0.1")), "local 127.0.0.1: want an address that the node has on the underlay"},
		{"local group", TunnelGRE, from(address("239.1.1.1")), "local 239.1.1.1: want an address that the node has on the underlay"},
		{"mapped local", TunnelGRE, from(address("::ffff:192.0.2.9")), "local ::ffff:192.0.2.9: want an address that the node has on the underlay"},
		{"local with a zone", TunnelGRE, from(address("fd00::1%eth0")), "local fd00::1%eth0: want an address that the node has on the underlay"},
		{"another family", TunnelGRE, to("2001:db8::9"), "local 172.16.17.18 and remote 2001:db8::9 are of different families; want both IPv4 or both IPv6"},
		{"to itself", TunnelGRE, to("172.16.17.18"), "local and remote are both 172.16.17.18; want the peer's address as remote"},
		{"a name", TunnelGRE, to("Peer.example."), ""},
		{"any local", TunnelGRE, from(netip.Addr{}), ""},

		{"VNI 0", TunnelVXLAN, func(s *TunnelSpec) { s.VNI = 0 }, "VNI 0: want 1 to 16777215"},
		{"VNI 2^24", TunnelGeneve, func(s *TunnelSpec) { s.VNI = 1 << 24 }, "VNI 16777216: want 1 to 16777215"},
		{"VNI of gre", TunnelGRE, func(s *TunnelSpec) { s.VNI = 7 }, "mode gre has no VNI; want mode vxlan or geneve, or leave it out"},
		{"port of sit", TunnelSIT, func(s *TunnelSpec) { s.Port = 7 }, "mode sit has no UDP port; want mode vxlan, geneve or udp, or leave it out"},
		{"key of ipip", TunnelIPIP, func(s *TunnelSpec) { s.InKey = ptr(GREKey(7)) }, "mode ipip has no key; want mode gre or gretap, or leave it out"},
		{"key of vxlan", TunnelVXLAN, func(s *TunnelSpec) { s.OutKey = ptr(GREKey(7)) }, "mode vxlan has no key; want mode gre or gretap, or leave it out"},
		{"checksum of sit", TunnelSIT, func(s *TunnelSpec) { s.InChecksum = true }, "mode sit has no checksum of its own; want mode gre or gretap, or leave it out"},
		{"checksum of udp", TunnelUDP, func(s *TunnelSpec) { s.OutChecksum = true }, "mode udp has no checksum of its own; want mode gre or gretap, or leave it out"},
		{"sequence of ipip", TunnelIPIP, func(s *TunnelSpec) { s.InSequence = true }, "mode ipip has no sequence numbers; want mode gre or gretap, or leave it out"},
		{"sequence of geneve", TunnelGeneve, func(s *TunnelSpec) { s.OutSequence = true }, "mode geneve has no sequence numbers; want mode gre or gretap, or leave it out"},
		{"UDP checksum of gre", TunnelGRE, func(s *TunnelSpec) { s.UDPChecksum = ptr(false) }, "mode gre has no UDP checksum; want mode vxlan, geneve or udp, or leave it out"},
		{"source ports of geneve", TunnelGeneve, func(s *TunnelSpec) { s.SourcePorts = &PortRange{1, 2} }, "mode geneve has no range of source ports; want mode vxlan, or leave it out"},
		{"learning of gretap", TunnelGRETAP, func(s *TunnelSpec) { s.Learning = ptr(true) }, "mode gretap has no stations (learning, ageing, proxy, fdb); want mode vxlan, or leave it out"},
		{"ageing of geneve", TunnelGeneve, func(s *TunnelSpec) { s.AgeingSeconds = 7 }, "mode geneve has no stations (learning, ageing, proxy, fdb); want mode vxlan, or leave it out"},
		{"proxy of geneve", TunnelGeneve, func(s *TunnelSpec) { s.Proxy = true }, "mode geneve has no stations (learning, ageing, proxy, fdb); want mode vxlan, or leave it out"},
		{"FDB of gretap", TunnelGRETAP, knows(TunnelStation{mac, address("192.0.2.9")}), "mode gretap has no stations (learning, ageing, proxy, fdb); want mode vxlan, or leave it out"},
		{"MAC of gre", TunnelGRE, func(s *TunnelSpec) { s.MAC = mac }, "mode gre has no MAC addresses; want mode vxlan, geneve or gretap, or leave it out"},
		{"neighbor of sit", TunnelSIT, meets(TunnelNeighbor{address("fd00::9"), mac}), "mode sit has no MAC addresses; want mode vxlan, geneve or gretap, or leave it out"},
		{"no discovery, fixed TTL", TunnelIPIP, func(s *TunnelSpec) { s.NoPMTUDiscovery = true }, "mode ipip without path MTU discovery wants ttl inherit"},
		{"no discovery, TTL inherited", TunnelSIT, func(s *TunnelSpec) { s.NoPMTUDiscovery, s.TTL.Inherit = true, true }, ""},
		{"no discovery of gre", TunnelGRE, func(s *TunnelSpec) { s.NoPMTUDiscovery = true }, ""},
		{"ageing below", TunnelVXLAN, func(s *TunnelSpec) { s.AgeingSeconds = -1 }, "ageing of -1 seconds: want 1 to 86400"},
		{"ageing above", TunnelVXLAN, func(s *TunnelSpec) { s.AgeingSeconds = 86401 }, "ageing of 86401 seconds: want 1 to 86400"},
		{"multicast MAC", TunnelVXLAN, func(s *TunnelSpec) { s.MAC = MAC{1} }, "MAC 01:00:00:00:00:00 is a multicast address; the first octet must be even"},
		{"small MTU", TunnelGRE, func(s *TunnelSpec) { s.MTU = 67 }, "MTU 67: want 68 to 65535 bytes, or none to have it computed"},
		{"large MTU", TunnelGRE, func(s *TunnelSpec) { s.MTU = 65536 }, "MTU 65536: want 68 to 65535 bytes, or none to have it computed"},
		{"MTU for IPv6", TunnelSIT, func(s *TunnelSpec) { s.MTU = 1279 }, "MTU 1279: IPv6 needs 1280 bytes"},
		{"MTU for an IPv6 address", TunnelGRE, func(s *TunnelSpec) { s.MTU, s.Addresses = 1279, prefixes("fd00::1/64") }, "MTU 1279: IPv6 needs 1280 bytes"},
		{"MTU for an IPv6 route", TunnelGRE, func(s *TunnelSpec) { s.MTU, s.Routes = 1279, []TunnelRoute{{Prefix: prefix("fd00::/64")}} }, "MTU 1279: IPv6 needs 1280 bytes"},
		{"MTU for IPv4", TunnelGRE, func(s *TunnelSpec) { s.MTU, s.Addresses = 68, prefixes("10.1.1.1/24") }, ""},
		{"source ports", TunnelVXLAN, func(s *TunnelSpec) { s.SourcePorts = &PortRange{2, 1} }, "source ports 2-1: want a range such as 32768-60999"},
		{"source port 0", TunnelVXLAN, func(s *TunnelSpec) { s.SourcePorts = &PortRange{0, 1} }, "source ports 0-1: want a range such as 32768-60999"},

		{"VTEP of the other family", TunnelVXLAN, knows(TunnelStation{mac, address("2001:db8::9")}), "fdb entry 02:00:00:00:00:09: VTEP 2001:db8::9: want an address of the underlay's family"},
		{"no VTEP", TunnelVXLAN, knows(TunnelStation{MAC: mac}), "fdb entry 02:00:00:00:00:09: VTEP invalid IP: want an address of the underlay's family"},
		{"VTEP that is a group", TunnelVXLAN, knows(TunnelStation{mac, address("239.1.1.1")}), "fdb entry 02:00:00:00:00:09: VTEP 239.1.1.1: want an address of the underlay's family"},
		{"multicast station", TunnelVXLAN, knows(TunnelStation{MAC{1}, address("192.0.2.9")}), "fdb entry 01:00:00:00:00:00: want a unicast MAC, or all zeros for all others"},
		{"a station twice", TunnelVXLAN, knows(TunnelStation{mac, address("192.0.2.9")}, TunnelStation{mac, address("192.0.2.8")}), "fdb entry 02:00:00:00:00:09 is there twice"},
		{"two for all others", TunnelVXLAN, knows(TunnelStation{VTEP: address("192.0.2.9")}, TunnelStation{VTEP: address("192.0.2.8")}), ""},
		{"one twice for all others", TunnelVXLAN, knows(TunnelStation{VTEP: address("192.0.2.9")}, TunnelStation{VTEP: address("192.0.2.9")}), "fdb entry 00:00:00:00:00:00 is there twice"},
		{"neighbor's MAC", TunnelVXLAN, meets(TunnelNeighbor{address("10.1.1.9"), MAC{}}), "neighbor 10.1.1.9 at 00:00:00:00:00:00: want a unicast address and a unicast MAC"},
		{"neighbor's address", TunnelGeneve, meets(TunnelNeighbor{address("224.0.0.5"), mac}), "neighbor 224.0.0.5 at 02:00:00:00:00:09: want a unicast address and a unicast MAC"},
		{"a neighbor twice", TunnelGRETAP, meets(TunnelNeighbor{address("10.1.1.9"), mac}, TunnelNeighbor{address("10.1.1.9"), mac}), "neighbor 10.1.1.9 is there twice"},

		{"nobody to ask", TunnelGRE, asks(KeepAlive{}), "keep-alive target invalid IP: want an address at the other end that mode gre carries"},
		{"a group to ask", TunnelGRE, asks(KeepAlive{Target: address("224.0.0.5")}), "keep-alive target 224.0.0.5: want an address at the other end that mode gre carries"},
		{"to ask what is not carried", TunnelIPIP, asks(KeepAlive{Target: address("fd00::2")}), "keep-alive target fd00::2: want an address at the other end that mode ipip carries"},
		{"to ask too often", TunnelGRE, asks(KeepAlive{Target: address("10.1.1.2"), IntervalMilliseconds: 99}), "keep-alive every 99 ms: want 100 to 60000"},
		{"to ask too seldom", TunnelGRE, asks(KeepAlive{Target: address("10.1.1.2"), IntervalMilliseconds: 60001}), "keep-alive every 60001 ms: want 100 to 60000"},
		{"no patience", TunnelGRE, asks(KeepAlive{Target: address("10.1.1.2"), Misses: -1}), "keep-alive after -1 misses: want 1 to 100"},
		{"too much patience", TunnelGRE, asks(KeepAlive{Target: address("10.1.1.2"), Misses: 101}), "keep-alive after 101 misses: want 1 to 100"},

		{"no address", TunnelGRE, has(netip.Prefix{}), "address invalid Prefix: want a unicast address with a prefix length, such as 10.1.1.1/24"},
		{"address of a group", TunnelGRE, has(prefix("224.0.0.5/24")), "address 224.0.0.5/24: want a unicast address with a prefix length, such as 10.1.1.1/24"},
		{"loopback address", TunnelGRE, has(prefix("127.0.0.1/8")), "address 127.0.0.1/8: want a unicast address with a prefix length, such as 10.1.1.1/24"},
		{"mapped address", TunnelGRE, has(netip.PrefixFrom(address("::ffff:10.1.1.1"), 120)), "address ::ffff:10.1.1.1/120: want a unicast address with a prefix length, such as 10.1.1.1/24"},
		{"IPv6 address of ipip", TunnelIPIP, has(prefix("fd00::1/64")), "address fd00::1/64: mode ipip carries IPv4 alone; want mode gre for both"},
		{"IPv4 address of sit", TunnelSIT, has(prefix("10.1.1.1/24")), "address 10.1.1.1/24: mode sit carries IPv6 alone; want mode gre for both"},
		{"an address twice", TunnelGRE, has(prefix("10.1.1.1/24"), prefix("10.1.1.1/32")), "address 10.1.1.1 is there twice"},
		{"a host's and a link's", TunnelGRE, has(prefix("10.1.1.1/32"), prefix("fe80::1/64")), ""},
		{"no route", TunnelGRE, leads(TunnelRoute{}), "route invalid Prefix: want a prefix such as 10.0.2.0/24"},
		{"a route with host bits", TunnelGRE, leads(TunnelRoute{Prefix: prefix("10.0.2.1/24")}), "route 10.0.2.1/24: want a prefix such as 10.0.2.0/24"},
		{"IPv6 route of ipip", TunnelIPIP, leads(TunnelRoute{Prefix: prefix("fd00::/64")}), "route fd00::/64: mode ipip carries IPv4 alone; want mode gre for both"},
		{"next hop of the other family", TunnelGRE, leads(TunnelRoute{Prefix: prefix("10.0.2.0/24"), Via: address("fd00::2")}), "route 10.0.2.0/24 via fd00::2: want a next hop of the same family"},
		{"next hop that is a group", TunnelGRE, leads(TunnelRoute{Prefix: prefix("10.0.2.0/24"), Via: address("224.0.0.5")}), "route 10.0.2.0/24 via 224.0.0.5: want a next hop of the same family"},
		{"a route to the remote", TunnelGRE, func(s *TunnelSpec) {
			s.Remote, s.Routes = "192.0.2.12", []TunnelRoute{{Prefix: prefix("192.0.2.12/32")}}
		},
			"route 192.0.2.12/32 would lead the tunnel's own packets to remote 192.0.2.12 into the tunnel; want routes to what is behind the peer alone"},
		{"a route twice", TunnelGRE, leads(TunnelRoute{Prefix: prefix("10.0.2.0/24")}, TunnelRoute{Prefix: prefix("10.0.2.0/24"), Via: address("10.1.1.2")}), "route 10.0.2.0/24 is there twice; give them different metrics"},
		{"two ways", TunnelGRE, leads(TunnelRoute{Prefix: prefix("10.0.2.0/24")}, TunnelRoute{Prefix: prefix("10.0.2.0/24"), Metric: 20}, TunnelRoute{Prefix: prefix("0.0.0.0/0")}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if want != "" {
				want = "tunnel neta: " + want
			}
			check(t, tunnel(tt.mode, tt.change).Validate(), want)
		})
	}
}

// TestAttachedTunnelRefusals: what is attached to a network has of its own what the network has not.
func TestAttachedTunnelRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		network NetworkName
		mode    TunnelMode
		change  func(*TunnelSpec)
		want    string
	}{
		{"frames", "blue", TunnelGRETAP, nil, ""},
		{"packets with routes", "green", TunnelGRE, func(s *TunnelSpec) { s.Routes = []TunnelRoute{{Prefix: netip.MustParsePrefix("10.0.2.0/24")}} }, ""},
		{"network's name", "Blue", TunnelGRE, nil, `network "Blue": a name has lower-case letters, digits and dashes only`},
		{"addresses", "green", TunnelGRE, func(s *TunnelSpec) { s.Addresses = prefixes("10.1.1.1/24") }, "a tunnel that is attached to a network has no addresses: the network's gateway has them"},
		{"frames with routes", "blue", TunnelGRETAP, func(s *TunnelSpec) { s.Routes = []TunnelRoute{{Prefix: netip.MustParsePrefix("10.0.2.0/24")}} },
			"mode gretap is a part of the network's segment and has no routes; want mode gre, ipip, sit or udp on a routed network"},
		{"neighbors", "blue", TunnelVXLAN, func(s *TunnelSpec) {
			s.Neighbors = []TunnelNeighbor{{netip.MustParseAddr("10.1.1.9"), MAC{2, 0, 0, 0, 0, 9}}}
		}, "a tunnel that is attached to a network has no neighbours of its own: the network answers ARP and ND"},
		{"proxy", "blue", TunnelVXLAN, func(s *TunnelSpec) { s.Proxy = true }, "a tunnel that is attached to a network has no neighbours of its own: the network answers ARP and ND"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, want := tunnel(tt.mode, tt.change), tt.want
			r.Network = tt.network
			if want != "" {
				want = "tunnel neta: " + want
			}
			check(t, r.Validate(), want)
		})
	}
	r := tunnel(TunnelGRE, nil)
	r.Name = ""
	check(t, r.Validate(), "tunnel: the name is missing")
}
