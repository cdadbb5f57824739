package stock

import (
	"testing"

	"weft/internal/testenv"
	"weft/internal/testenv/vm"
)

// makes are commands that each need a module of their own, which the kernel loads.
var makes = map[string]string{
	"vxlan":        "ip link add t0 type vxlan id 1 dstport 4789 remote 192.0.2.2 local 192.0.2.1",
	"vxlan6":       "ip link add t0 type vxlan id 1 dstport 4789 remote 2001:db8::2 local 2001:db8::1",
	"geneve":       "ip link add t0 type geneve id 1 remote 192.0.2.2",
	"gre":          "ip link add t0 type gre local 192.0.2.1 remote 192.0.2.2 ikey 1 okey 2 csum seq",
	"gretap":       "ip link add t0 type gretap local 192.0.2.1 remote 192.0.2.2 key 1",
	"ip6gre":       "ip link add t0 type ip6gre local 2001:db8::1 remote 2001:db8::2 key 1",
	"ip6gretap":    "ip link add t0 type ip6gretap local 2001:db8::1 remote 2001:db8::2",
	"ipip":         "ip link add t0 type ipip local 192.0.2.1 remote 192.0.2.2",
	"sit":          "ip link add t0 type sit local 192.0.2.1 remote 192.0.2.2",
	"ip6tnl":       "ip link add t0 type ip6tnl mode any local 2001:db8::1 remote 2001:db8::2",
	"vti":          "ip link add t0 type vti local 192.0.2.1 remote 192.0.2.2 key 1",
	"fou":          "ip fou add port 8285 ipproto 4; ip link add t0 type ipip local 192.0.2.1 remote 192.0.2.2 encap fou encap-sport auto encap-dport 8285",
	"fou6":         "ip -6 fou add port 8285 ipproto 41; ip link add t0 type ip6tnl mode ip6ip6 local 2001:db8::1 remote 2001:db8::2 encap fou encap-sport auto encap-dport 8285",
	"wireguard":    "ip link add t0 type wireguard",
	"vrf":          "ip link add t0 type vrf table 10",
	"dummy":        "ip link add t0 type dummy",
	"veth":         "ip link add t0 type veth peer name t1",
	"macvlan":      "ip link add t0 link dummy0 type macvlan",
	"ipvlan":       "ip link add t0 link dummy0 type ipvlan",
	"802.1Q":       "ip link add t0 link dummy0 type vlan id 7",
	"802.1ad":      "ip link add t0 link dummy0 type vlan proto 802.1ad id 7",
	"bridge":       "ip link add t0 type bridge; ip link set t0 up type bridge vlan_filtering 1 mcast_snooping 1",
	"tun":          "ip tuntap add t0 mode tun; ip tuntap add t1 mode tap",
	"netem":        "tc qdisc add dev dummy0 root netem delay 1ms",
	"clsact":       "tc qdisc add dev dummy0 clsact; tc filter add dev dummy0 ingress matchall action drop",
	"nft NAT":      "nft 'add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; add rule ip t c ct state new masquerade'",
	"nft dnat":     "nft 'add table inet t; add chain inet t c { type nat hook prerouting priority -100; }; add rule inet t c tcp dport 80 dnat ip to 192.0.2.3'",
	"nft bridge":   "nft 'add table bridge t; add chain bridge t c { type filter hook forward priority 0; }; add rule bridge t c ct state established accept'",
	"nft netdev":   "nft 'add table netdev t; add chain netdev t c { type filter hook ingress device dummy0 priority 0; }; add rule netdev t c limit rate 10/second counter drop'",
	"nft flow":     "nft 'add table ip t; add flowtable ip t f { hook ingress priority 0; devices = { dummy0 }; }'",
	"nft sets":     "nft 'add table ip t; add set ip t s { type ipv4_addr; flags interval, timeout; }; add element ip t s { 10.0.0.0/8 timeout 1h }; add map ip t m { type ipv4_addr : verdict; }'",
	"nft fib, log": "nft 'add table ip t; add chain ip t c { type filter hook prerouting priority 0; }; add rule ip t c fib saddr oif missing log reject'",
	"multicast":    "ip link add t0 type dummy; ip address add 192.0.2.9/24 dev t0; ip link set t0 up; ip address add 239.1.1.1 dev t0 autojoin",
}

// Whatever network device or rule a test asks for, the kernel has it, in a namespace of the
// test's own.
func TestModules(t *testing.T) {
	t.Parallel()
	vm.Each(t, []vm.Kernel{vm.Linux612}, vm.Options{Tools: []string{"nft"}}, func(t *testing.T) {
		for name, script := range makes {
			t.Run(name, func(t *testing.T) {
				ns := testenv.Namespace(t)
				testenv.Run(t, ns, "sh", "-ec", "ip link add dummy0 type dummy; ip link set dummy0 up; "+script)
			})
		}
	})
}
