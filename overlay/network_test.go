package overlay

import (
	"net/netip"
	"reflect"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

func addresses(list ...string) []netip.Addr {
	all := make([]netip.Addr, len(list))
	for i, s := range list {
		all[i] = netip.MustParseAddr(s)
	}
	return all
}

func network(name string, spec NetworkSpec) *Network {
	return &Network{Meta: Meta{Kind: KindNetwork, Name: name}, Spec: spec}
}

func TestNetworkComplete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		give, want NetworkSpec
	}{
		{
			"bridged",
			NetworkSpec{Subnets: prefixes("10.7.0.0/24", "fd07::/64")},
			NetworkSpec{
				Kind: Bridged, Subnets: prefixes("10.7.0.0/24", "fd07::/64"), Gateways: addresses("10.7.0.1", "fd07::1"),
				Encapsulation: EncapVXLAN, Port: 4789, Plane: PlaneAuto, Underlay: FamilyAuto, Discovery: DiscoveryRegistry, BUM: BUMReplicate,
			},
		},
		{
			"routed",
			NetworkSpec{Kind: Routed, Subnets: prefixes("10.8.0.0/16", "fd08::/48")},
			NetworkSpec{
				Kind: Routed, Subnets: prefixes("10.8.0.0/16", "fd08::/48"), Gateways: addresses("10.8.0.1", "fd08::1"),
				Encapsulation: EncapVXLAN, Port: 4789, Plane: PlaneAuto, Underlay: FamilyAuto, Discovery: DiscoveryRegistry, BUM: BUMReplicate,
				BlockBits4: 24, BlockBits6: 64,
			},
		},
		{
			"small subnets hold 16 blocks where they can",
			NetworkSpec{Kind: Routed, Subnets: prefixes("10.8.0.0/22", "fd08::/124")},
			NetworkSpec{
				Kind: Routed, Subnets: prefixes("10.8.0.0/22", "fd08::/124"), Gateways: addresses("10.8.0.1", "fd08::1"),
				Encapsulation: EncapVXLAN, Port: 4789, Plane: PlaneAuto, Underlay: FamilyAuto, Discovery: DiscoveryRegistry, BUM: BUMReplicate,
				BlockBits4: 26, BlockBits6: 124,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.give.Complete()
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Complete = %+v\n want %+v", got, tt.want)
			}
			if again := got.Complete(); !reflect.DeepEqual(again, got) {
				t.Errorf("completing twice: %+v", again)
			}
			check(t, network("blue", tt.give).Validate(), "")
			check(t, network("blue", got).Validate(), "")
		})
	}
}

// TestCompleteKeepsChoices: what is set stays.
func TestCompleteKeepsChoices(t *testing.T) {
	t.Parallel()
	s := NetworkSpec{
		VNI: 7, Kind: Routed, Subnets: prefixes("10.8.0.0/16"), Gateways: addresses("10.8.255.254"), Encapsulation: EncapNone, Port: 8472,
		Plane: PlaneKernel, Underlay: V6, MTU: 1400, Discovery: DiscoveryRegistry, BUM: BUMNone, DirectRouting: true, BlockBits4: 26,
	}
	if got := s.Complete(); !reflect.DeepEqual(got, s) {
		t.Errorf("Complete = %+v\n want %+v", got, s)
	}
}

func TestNetworkValidate(t *testing.T) {
	t.Parallel()
	good := NetworkSpec{VNI: 4097, Subnets: prefixes("10.7.0.0/24")}
	routed := NetworkSpec{VNI: 4097, Kind: Routed, Subnets: prefixes("10.8.0.0/16")}
	with := func(s NetworkSpec, change func(*NetworkSpec)) NetworkSpec { change(&s); return s }
	for _, tt := range []struct {
		name string
		spec NetworkSpec
		want string
	}{
		{"bridged", good, ""},
		{"routed", routed, ""},
		{"no VNI yet", with(good, func(s *NetworkSpec) { s.VNI = 0 }), ""},
		{"v6 alone", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("fd07::/64") }), ""},
		{"host-gw", with(routed, func(s *NetworkSpec) { s.Encapsulation = EncapNone }), ""},
		{"VNI too large", with(good, func(s *NetworkSpec) { s.VNI = 1 << 24 }), "network blue: VNI 16777216: want 1 to 16777215"},
		{"kind", with(good, func(s *NetworkSpec) { s.Kind = "switched" }), `network blue: kind "switched": want bridged or routed`},
		{"encapsulation", with(good, func(s *NetworkSpec) { s.Encapsulation = "l2tp" }), `network blue: encapsulation "l2tp": want vxlan, geneve, gre, ipip, sit, udp or none`},
		{"bridged without encapsulation", with(good, func(s *NetworkSpec) { s.Encapsulation = EncapNone }),
			"network blue: encapsulation none routes packets and cannot carry a bridged network; want kind routed or encapsulation vxlan"},
		{"bridged and direct", with(good, func(s *NetworkSpec) { s.DirectRouting = true }),
			"network blue: directRouting routes packets and cannot carry a bridged network; want kind routed"},
		{"plane", with(good, func(s *NetworkSpec) { s.Plane = "ovs" }), `network blue: plane "ovs": want auto, kernel, ebpf or user`},
		{"underlay", with(good, func(s *NetworkSpec) { s.Underlay = "ipv4" }), `network blue: underlay "ipv4": want auto, v4 or v6`},
		{"bum", with(good, func(s *NetworkSpec) { s.BUM = "flood" }), `network blue: bum "flood": want replicate or none`},
		{"no subnet", with(good, func(s *NetworkSpec) { s.Subnets = nil }), "network blue: no subnet; give one with --subnet (IPv4) or --subnet6"},
		{"empty subnet", with(good, func(s *NetworkSpec) { s.Subnets = []netip.Prefix{{}} }), "network blue: a subnet is missing or invalid; want a prefix such as 10.7.0.0/24"},
		{"two of a family", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("10.7.0.0/24", "10.8.0.0/24") }), "network blue: subnet 10.8.0.0/24: a network has at most one subnet of each family"},
		{"mapped", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("::ffff:10.7.0.0/120") }), "network blue: subnet ::ffff:10.7.0.0/120: want plain IPv4, not a mapped address"},
		{"multicast", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("224.1.0.0/24") }), "network blue: subnet 224.1.0.0/24: want unicast addresses, neither loopback, link-local nor 0"},
		{"loopback", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("127.1.0.0/24") }), "network blue: subnet 127.1.0.0/24: want unicast addresses, neither loopback, link-local nor 0"},
		{"link-local", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("fe80::/64") }), "network blue: subnet fe80::/64: want unicast addresses, neither loopback, link-local nor 0"},
		{"everything", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("0.0.0.0/0") }), "network blue: subnet 0.0.0.0/0: want unicast addresses, neither loopback, link-local nor 0"},
		{"host bits", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("10.1.0.5/24") }), "network blue: subnet 10.1.0.5/24 has bits set beyond its length; want 10.1.0.0/24"},
		{"host bits, v6", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("fd07::1/64") }), "network blue: subnet fd07::1/64 has bits set beyond its length; want fd07::/64"},
		{"too large", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("10.0.0.0/7") }), "network blue: subnet 10.0.0.0/7: want a prefix length of 8 to 30"},
		{"too small", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("10.7.0.0/31") }), "network blue: subnet 10.7.0.0/31: want a prefix length of 8 to 30"},
		{"v6 too large", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("fd00::/15") }), "network blue: subnet fd00::/15: want a prefix length of 16 to 126"},
		{"v6 too small", with(good, func(s *NetworkSpec) { s.Subnets = prefixes("fd07::/127") }), "network blue: subnet fd07::/127: want a prefix length of 16 to 126"},
		{"too many gateways", with(good, func(s *NetworkSpec) { s.Gateways = addresses("10.7.0.1", "10.7.0.2") }),
			"network blue: 2 gateways for 1 subnets: give one in each, or none to take the first address"},
		{"two gateways in one subnet", with(good, func(s *NetworkSpec) {
			s.Subnets, s.Gateways = prefixes("10.7.0.0/24", "fd07::/64"), addresses("10.7.0.1", "10.7.0.2")
		}), "network blue: gateway 10.7.0.2: subnet 10.7.0.0/24 has one already; give one in each subnet, or none to take the first address"},
		{"foreign gateway", with(good, func(s *NetworkSpec) { s.Gateways = addresses("10.8.0.1") }), "network blue: gateway 10.8.0.1 is in none of its subnets"},
		{"gateway of another family", with(good, func(s *NetworkSpec) { s.Gateways = addresses("fd07::1") }), "network blue: gateway fd07::1 is in none of its subnets"},
		{"gateway on the network address", with(good, func(s *NetworkSpec) { s.Gateways = addresses("10.7.0.0") }), "network blue: gateway 10.7.0.0 is the network or broadcast address of 10.7.0.0/24"},
		{"gateway on the broadcast address", with(good, func(s *NetworkSpec) { s.Gateways = addresses("10.7.0.255") }), "network blue: gateway 10.7.0.255 is the network or broadcast address of 10.7.0.0/24"},
		{"blocks in a bridged network", with(good, func(s *NetworkSpec) { s.BlockBits4 = 26 }), "network blue: blocks are for routed networks; this one is bridged"},
		{"blocks too large", with(routed, func(s *NetworkSpec) { s.BlockBits4 = 15 }), "network blue: block prefix length 15: subnet 10.8.0.0/16 takes 16 to 30"},
		{"blocks too small", with(routed, func(s *NetworkSpec) { s.BlockBits4 = 31 }), "network blue: block prefix length 31: subnet 10.8.0.0/16 takes 16 to 30"},
		{"MTU too small", with(good, func(s *NetworkSpec) { s.MTU = 575 }), "network blue: MTU 575: want 576 to 65535 bytes, or none to have it computed"},
		{"MTU too large", with(good, func(s *NetworkSpec) { s.MTU = 65536 }), "network blue: MTU 65536: want 576 to 65535 bytes, or none to have it computed"},
		{"MTU too small for v6", with(good, func(s *NetworkSpec) { s.Subnets, s.MTU = prefixes("fd07::/64"), 1279 }),
			"network blue: MTU 1279: want 1280 to 65535 bytes, or none to have it computed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, network("blue", tt.spec).Validate(), tt.want)
		})
	}
	check(t, network("Blue", good).Validate(), `network "Blue": a name has lower-case letters, digits and dashes only`)
}

func TestIsReserved(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		prefix, address string
		want            bool
	}{
		{"10.7.0.0/24", "10.7.0.0", true}, {"10.7.0.9/24", "10.7.0.0", true}, {"10.7.0.0/24", "10.7.0.255", true},
		{"10.7.0.0/24", "10.7.0.1", false}, {"10.7.0.0/24", "10.7.0.254", false},
		{"fd07::/64", "fd07::", true}, {"fd07::/64", "fd07::ffff:ffff:ffff:ffff", false},
	} {
		if got := IsReserved(netip.MustParsePrefix(tt.prefix), netip.MustParseAddr(tt.address)); got != tt.want {
			t.Errorf("IsReserved(%s, %s) = %v", tt.prefix, tt.address, got)
		}
	}
}

func TestLastAddr(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"10.7.0.0/24": "10.7.0.255", "10.7.1.9/22": "10.7.3.255", "10.7.0.4/30": "10.7.0.7", "0.0.0.0/0": "255.255.255.255",
		"10.7.0.1/32": "10.7.0.1", "fd07::/64": "fd07::ffff:ffff:ffff:ffff", "fd07::/126": "fd07::3", "fd07::/61": "fd07::7:ffff:ffff:ffff:ffff",
	} {
		if got := LastAddr(netip.MustParsePrefix(prefix)); got.String() != want {
			t.Errorf("LastAddr(%s) = %s, want %s", prefix, got, want)
		}
	}
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	for a, want := range map[string]Family{"10.7.0.1": V4, "::ffff:10.7.0.1": V4, "fd07::1": V6, "::": V6} {
		if got := FamilyOf(netip.MustParseAddr(a)); got != want {
			t.Errorf("FamilyOf(%s) = %s", a, got)
		}
	}
	if V4.Bits() != 32 || V6.Bits() != 128 {
		t.Errorf("addresses have %d and %d bits", V4.Bits(), V6.Bits())
	}
	s := NetworkSpec{Subnets: prefixes("fd07::/64")}
	if _, ok := s.Subnet(V4); ok {
		t.Error("a v4 subnet was found where there is none")
	}
	if p, ok := s.Subnet(V6); !ok || p.String() != "fd07::/64" {
		t.Errorf("Subnet(v6) = %s, %v", p, ok)
	}
}
