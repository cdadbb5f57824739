package overlay

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// multicastSpec, staticSpec and flannelSpec are networks of each kind of discovery.
func multicastSpec() NetworkSpec {
	return NetworkSpec{
		VNI: 100, Subnets: prefixes("10.7.0.0/24"), Discovery: DiscoveryMulticast,
		Group: netip.MustParseAddr("239.1.1.1"), UnderlayDevice: "eth1",
	}
}

func staticSpec() NetworkSpec {
	return NetworkSpec{
		VNI: 42, Subnets: prefixes("10.20.1.0/24"), Discovery: DiscoveryStatic,
		Peers: []StaticPeer{
			{Address: netip.MustParseAddr("192.168.8.101"), Stations: []PeerStation{{MAC: MAC{2, 0, 0, 0, 0, 1}, Addresses: addresses("10.20.1.3")}}},
			{Address: netip.MustParseAddr("192.168.8.102"), Stations: []PeerStation{{MAC: MAC{2, 0, 0, 0, 0, 2}}}},
		},
	}
}

func flannelSpec() NetworkSpec {
	return NetworkSpec{
		VNI: 1, Kind: Routed, Port: 8472, Subnets: prefixes("10.244.0.0/16"),
		Peers: []StaticPeer{{Address: netip.MustParseAddr("192.0.2.9"), VTEPMAC: MAC{2, 0, 0, 0, 0, 9}, Blocks: prefixes("10.244.1.0/24")}},
	}
}

// fullStatic is a static network with all that one can have.
func fullStatic() NetworkSpec {
	s, yes := staticSpec(), true
	s.Learning, s.AgeingSeconds, s.TTL, s.SourcePorts, s.UDPChecksum = true, 60, 9, &PortRange{40000, 50000}, &yes
	s.Peers = append(s.Peers, flannelSpec().Peers[0])
	s.Peers[2].VTEPMAC, s.Peers[2].Blocks = MAC{}, nil
	return s
}

// TestFullNetworks: what none of them has goes untested in TestJSON.
func TestFullNetworks(t *testing.T) {
	t.Parallel()
	var specs []reflect.Value
	for name, r := range full() {
		if n, ok := r.(*Network); ok && strings.HasPrefix(name, "network") {
			specs = append(specs, reflect.ValueOf(n.Spec))
		}
	}
	for i := range specs[0].NumField() {
		if !slices.ContainsFunc(specs, func(s reflect.Value) bool { return !s.Field(i).IsZero() }) {
			t.Errorf("%s is not set", specs[0].Type().Field(i).Name)
		}
	}
}

func TestCompleteDiscovery(t *testing.T) {
	t.Parallel()
	m := multicastSpec().Complete()
	if !m.Learning || m.TTL != 64 || m.AgeingSeconds != 300 || m.Underlay != V4 {
		t.Errorf("multicast: %+v", m)
	}
	six := multicastSpec()
	six.Group = netip.MustParseAddr("ff05::100")
	if got := six.Complete().Underlay; got != V6 {
		t.Errorf("group %s over %s", six.Group, got)
	}
	s := staticSpec().Complete()
	if s.Learning || s.TTL != 0 || s.AgeingSeconds != 0 || s.Underlay != V4 {
		t.Errorf("static: %+v", s)
	}
	for _, s := range []NetworkSpec{m, s, flannelSpec().Complete()} {
		if again := s.Complete(); !reflect.DeepEqual(again, s) {
			t.Errorf("completing twice: %+v\n%+v", again, s)
		}
	}
}

func TestDiscoveryValidate(t *testing.T) {
	t.Parallel()
	yes := true
	for _, tt := range []struct {
		name string
		spec func() NetworkSpec
		with func(*NetworkSpec)
		want string
	}{
		{"multicast", multicastSpec, func(*NetworkSpec) {}, ""},
		{"multicast over v6", multicastSpec, func(s *NetworkSpec) { s.Group = netip.MustParseAddr("ff05::100") }, ""},
		{"static", staticSpec, func(*NetworkSpec) {}, ""},
		{"learning", staticSpec, func(s *NetworkSpec) { s.Learning, s.AgeingSeconds = true, 10 }, ""},
		{"flannel", flannelSpec, func(*NetworkSpec) {}, ""},
		{"strangers in a registry", staticSpec, func(s *NetworkSpec) { s.Discovery = DiscoveryRegistry }, ""},
		{"outer headers", staticSpec, func(s *NetworkSpec) {
			s.TTL, s.UnderlayDevice, s.SourcePorts, s.UDPChecksum = 9, "eth0.7", &PortRange{40000, 50000}, &yes
		}, ""},
		{"discovery", staticSpec, func(s *NetworkSpec) { s.Discovery = "gossip" }, `discovery "gossip": want registry, static or multicast`},
		{"no group", multicastSpec, func(s *NetworkSpec) { s.Group = netip.Addr{} }, "no multicast group; give one with --group, such as 239.1.1.1"},
		{"group of one", multicastSpec, func(s *NetworkSpec) { s.Group = netip.MustParseAddr("192.0.2.1") }, "group 192.0.2.1: want a multicast address such as 239.1.1.1 or ff05::100"},
		{"group of routers", multicastSpec, func(s *NetworkSpec) { s.Group = netip.MustParseAddr("224.0.0.5") },
			"group 224.0.0.5 never leaves its segment, and is for routing protocols and the like (RFC 5771 section 4, RFC 4291 section 2.7); want one such as 239.1.1.1 or ff05::100"},
		{"group of the other family", multicastSpec, func(s *NetworkSpec) { s.Underlay = V6 }, "group 239.1.1.1 is of another family than the underlay, v6"},
		{"no device", multicastSpec, func(s *NetworkSpec) { s.UnderlayDevice = "" }, "discovery multicast: say by which of the hosts' devices with --underlay-device"},
		{"bad device", multicastSpec, func(s *NetworkSpec) { s.UnderlayDevice = "a/b" }, `underlay device "a/b": not an interface name; want letters, digits, dots and dashes`},
		{"TTL", multicastSpec, func(s *NetworkSpec) { s.TTL = 256 }, "ttl 256: want 1 to 255"},
		{"ageing", multicastSpec, func(s *NetworkSpec) { s.AgeingSeconds = 86401 }, "ageing of 86401 seconds: want 1 to 86400"},
		{"group without multicast", staticSpec, func(s *NetworkSpec) { s.Group = netip.MustParseAddr("239.1.1.1") }, "group 239.1.1.1 is for discovery multicast, and this is static"},
		{"multicast over geneve", multicastSpec, func(s *NetworkSpec) { s.Encapsulation = EncapGeneve }, "discovery multicast is VXLAN's, and encapsulation geneve has none; want encapsulation vxlan"},
		{"multicast, routed", multicastSpec, func(s *NetworkSpec) { s.Kind = Routed },
			"discovery multicast learns stations, of which a routed network has none; want kind bridged, or discovery registry or static"},
		{"multicast and peers", multicastSpec, func(s *NetworkSpec) { s.Peers = staticSpec().Peers },
			"discovery multicast finds its peers by the group; want none listed, or discovery registry or static"},
		{"multicast without BUM", multicastSpec, func(s *NetworkSpec) { s.BUM = BUMNone }, "bum none floods nothing, so nothing can be learnt; want bum replicate"},
		{"multicast by ebpf", multicastSpec, func(s *NetworkSpec) { s.Plane = PlaneEBPF }, "plane ebpf does not do discovery multicast; want plane kernel or auto"},
		{"learning by ebpf", staticSpec, func(s *NetworkSpec) { s.Plane, s.Learning = PlaneEBPF, true }, "plane ebpf does not do learning; want plane kernel or auto"},
		{"checksum by ebpf", staticSpec, func(s *NetworkSpec) { s.Plane, s.UDPChecksum = PlaneEBPF, &yes }, "plane ebpf does not do a choice of UDP checksums; want plane kernel or auto"},
		{"learning in a registry", staticSpec, func(s *NetworkSpec) { s.Discovery, s.Learning = DiscoveryRegistry, true },
			"discovery registry learns nothing from traffic; want discovery static or multicast with learning"},
		{"learning, routed", flannelSpec, func(s *NetworkSpec) { s.Discovery, s.Learning = DiscoveryStatic, true }, "learning is for bridged networks with encapsulation vxlan; leave it out"},
		{"ageing of nothing", staticSpec, func(s *NetworkSpec) { s.AgeingSeconds = 10 }, "ageing is of what is learnt, and this network learns nothing; leave it out"},
		{"source ports", staticSpec, func(s *NetworkSpec) { s.SourcePorts = &PortRange{9, 8} }, "source ports 9-8: want a range such as 32768-60999"},
		{"source ports of geneve", staticSpec, func(s *NetworkSpec) { s.Encapsulation, s.SourcePorts = EncapGeneve, &PortRange{8, 9} },
			"encapsulation geneve does not do a range of source ports; want encapsulation vxlan, or leave it out"},
		{"no address", staticSpec, func(s *NetworkSpec) { s.Peers[1].Address = netip.Addr{} }, "peer 2: it has no address; want that which it has on the underlay"},
		{"loopback", staticSpec, func(s *NetworkSpec) { s.Peers[1].Address = netip.MustParseAddr("127.0.0.1") },
			"peer 127.0.0.1: want the address that it has on the underlay: a unicast one, neither loopback nor link-local"},
		{"two families", staticSpec, func(s *NetworkSpec) { s.Peers[1].Address = netip.MustParseAddr("2001:db8::1") }, "peer 2001:db8::1: it is of another family than the underlay, v4"},
		{"twice", staticSpec, func(s *NetworkSpec) { s.Peers[1].Address = s.Peers[0].Address }, "peer 192.168.8.101 has address 192.168.8.101 twice"},
		{"one station", staticSpec, func(s *NetworkSpec) { s.Peers[1].Stations[0].MAC = s.Peers[0].Stations[0].MAC },
			"peers 192.168.8.101 and 192.168.8.102 both have station 02:00:00:00:00:01"},
		{"one station's address", staticSpec, func(s *NetworkSpec) { s.Peers[1].Stations[0].Addresses = s.Peers[0].Stations[0].Addresses },
			"peers 192.168.8.101 and 192.168.8.102 both have address 10.20.1.3"},
		{"block of a bridged one", staticSpec, func(s *NetworkSpec) { s.Peers[0].Blocks = prefixes("10.20.1.0/25") },
			"peer 192.168.8.101: a VTEP MAC and blocks are for routed networks, and this one is bridged; want stations"},
		{"group's MAC", staticSpec, func(s *NetworkSpec) { s.Peers[0].Stations[0].MAC = MAC{1} }, "peer 192.168.8.101: station 01:00:00:00:00:00: want a unicast MAC, and not the gateway's"},
		{"stranger's address", staticSpec, func(s *NetworkSpec) { s.Peers[0].Stations[0].Addresses = addresses("10.20.2.3") },
			"peer 192.168.8.101: station 02:00:00:00:00:01: address 10.20.2.3 is of no host in a subnet of the network"},
		{"gateway's address", staticSpec, func(s *NetworkSpec) { s.Peers[0].Stations[0].Addresses = addresses("10.20.1.1") },
			"peer 192.168.8.101: station 02:00:00:00:00:01: address 10.20.1.1 is the network's gateway"},
		{"no VTEP MAC", flannelSpec, func(s *NetworkSpec) { s.Peers[0].VTEPMAC = MAC{} },
			"peer 192.0.2.9: VTEP MAC 00:00:00:00:00:00: want the unicast MAC of its tunnel device (ip link show)"},
		{"no block", flannelSpec, func(s *NetworkSpec) { s.Peers[0].Blocks = nil }, "peer 192.0.2.9: it has no block; want those prefixes of the subnet that are behind it"},
		{"block elsewhere", flannelSpec, func(s *NetworkSpec) { s.Peers[0].Blocks = prefixes("10.245.1.0/24") }, "peer 192.0.2.9: block 10.245.1.0/24: want a prefix within a subnet of the network"},
		{"blocks overlap", flannelSpec, func(s *NetworkSpec) { s.Peers[0].Blocks = prefixes("10.244.0.0/20", "10.244.1.0/24") },
			"peer 192.0.2.9: blocks 10.244.0.0/20 and 10.244.1.0/24 overlap"},
		{"peers' blocks overlap", flannelSpec, func(s *NetworkSpec) {
			s.Peers = append(s.Peers, StaticPeer{Address: netip.MustParseAddr("192.0.2.8"), VTEPMAC: MAC{2, 8}, Blocks: prefixes("10.244.1.128/25")})
		}, "blocks 10.244.1.0/24 of peer 192.0.2.9 and 10.244.1.128/25 of peer 192.0.2.8 overlap"},
		{"stations of a routed one", flannelSpec, func(s *NetworkSpec) { s.Peers[0].Stations = staticSpec().Peers[1].Stations },
			"peer 192.0.2.9: stations are for bridged networks, and this one is routed; want a VTEP MAC and blocks"},
		{"host-gw", flannelSpec, func(s *NetworkSpec) { s.Encapsulation, s.Port = EncapNone, 0 },
			"peer 192.0.2.9: encapsulation none reaches the nodes of the registry alone; want encapsulation vxlan, or no peers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.spec()
			tt.with(&s)
			want := tt.want
			if want != "" {
				want = "network blue: " + want
			}
			check(t, network("blue", s).Validate(), want)
		})
	}
}

// What is behind a peer no endpoint can have.
func TestPeersClaim(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		spec NetworkSpec
		want []Claim
	}{
		{staticSpec(), []Claim{"mac/blue/02:00:00:00:00:01", "address/blue/10.20.1.3", "mac/blue/02:00:00:00:00:02", "vni/42"}},
		{flannelSpec(), []Claim{"prefix/blue/10.244.1.0/24", "vni/1"}},
	} {
		if got := network("blue", tt.spec).Claims(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("claims %q\n want %q", got, tt.want)
		}
	}
}
