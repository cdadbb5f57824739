package plan

import (
	"net/netip"

	"pgregory.net/rapid"

	"weft/overlay"
)

// anyDiscovery draws how a network's members are found, and peers that collide with nodes and
// endpoints in all that they have.
func anyDiscovery(t *rapid.T, s *overlay.NetworkSpec) {
	s.Discovery = rapid.SampledFrom([]overlay.Discovery{
		"", "", overlay.DiscoveryRegistry, overlay.DiscoveryStatic, overlay.DiscoveryMulticast,
	}).Draw(t, "discovery")
	if s.Discovery == overlay.DiscoveryMulticast {
		s.Group, s.UnderlayDevice = netip.MustParseAddr("239.1.1.1"), "eth0"
		return
	}
	for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"192.0.2.1", "198.51.100.1", "203.0.113.9", "2001:db8:9::9"}), 0, 2, rapid.ID).Draw(t, "peers") {
		p := overlay.StaticPeer{Address: netip.MustParseAddr(a), VTEPMAC: overlay.MAC{2, 0xfe, 0, 0, 0, 1}}
		p.Blocks = rapid.SliceOfN(rapid.SampledFrom(prefixes("10.8.1.0/24", "10.8.9.0/24")), 0, 1).Draw(t, "blocks")
		for _, m := range rapid.SliceOfN(rapid.SampledFrom([]overlay.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 9}, overlay.VNI(4097).GatewayMAC()}), 0, 2).Draw(t, "stations") {
			p.Stations = append(p.Stations, overlay.PeerStation{MAC: m, Addresses: []netip.Addr{
				rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("10.8.1.2"), netip.MustParseAddr("10.8.9.9")}).Draw(t, "station's address"),
			}})
		}
		s.Peers = append(s.Peers, p)
	}
}
