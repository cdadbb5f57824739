package course

import (
	"context"
	"fmt"
	"net/netip"

	"weft/bench"
)

// The names of ways that others are compared with.
const (
	nameRouted        = "routed, no overlay"
	nameBridgedByHand = "kernel VXLAN, bridged"
	nameRoutedByHand  = "kernel VXLAN, routed"
	nameBridge        = "Linux bridge"
)

// What is made by hand has other VNIs than Weft's, and what is VXLAN other hosts.

// routed joins two workloads by plain routes, without an overlay (host-gw): what there
// is to reach.
func routed(ctx context.Context, g *ground, _ Options) (way, error) {
	both, err := g.ends("plain", "a", "b")
	if err != nil {
		return way{}, err
	}
	for i, e := range both {
		if err := e.routedPort(ctx, 78, i, 1500); err != nil {
			return way{}, err
		}
		if err := e.script(ctx, fmt.Sprintf("ip route add 10.78.%d.0/24 via %s", 1-i, both[1-i].underlay())); err != nil {
			return way{}, err
		}
	}
	return both.way(nameRouted, bench.ByHand, netip.MustParseAddr("10.78.1.2")), nil
}

// bridgedByHand joins two workloads as the usual instructions have it, by a bridge and
// a vxlan device on each host.
func bridgedByHand(ctx context.Context, g *ground, _ Options) (way, error) {
	both, err := g.ends("hand", "ka", "kb")
	if err != nil {
		return way{}, err
	}
	for i, e := range both {
		if err := e.unfiltered(); err != nil {
			return way{}, err
		}
		if err := e.script(ctx, fmt.Sprintf(`
			ip link add hand-br type bridge
			ip link add hand-vx type vxlan id 77 local %s remote %s dstport 4789
			ip link add hand-port type veth peer name eth0 netns %s
			ip link set hand-vx mtu 1450 master hand-br up
			ip link set hand-port mtu 1450 master hand-br up
			ip link set hand-br up
			in ip link set eth0 mtu 1450 up
			in ip address add 10.77.0.%d/24 dev eth0
			`, e.underlay(), both[1-i].underlay(), e.name(), i+1)); err != nil {
			return way{}, err
		}
	}
	return both.way(nameBridgedByHand, bench.ByHand, netip.MustParseAddr("10.77.0.2")), nil
}

// routedByHand joins two workloads as flannel does: a vxlan device on each host, a route
// through it to the other's subnet, and the other's device as a permanent neighbour.
func routedByHand(ctx context.Context, g *ground, _ Options) (way, error) {
	both, err := g.ends("flat", "ka", "kb")
	if err != nil {
		return way{}, err
	}
	for i, e := range both {
		if err := e.routedPort(ctx, 79, i, 1450); err != nil {
			return way{}, err
		}
		if err := e.script(ctx, fmt.Sprintf(`
			ip link add flat-vx address 02:00:00:00:79:0%[1]d type vxlan id 79 local %[3]s dstport 4789 nolearning
			ip link set flat-vx mtu 1450 up
			ip address add 10.79.%[1]d.0/32 dev flat-vx
			ip neighbour add 10.79.%[2]d.0 lladdr 02:00:00:00:79:0%[2]d dev flat-vx nud permanent
			bridge fdb add 02:00:00:00:79:0%[2]d dev flat-vx dst %[4]s
			ip route add 10.79.%[2]d.0/24 via 10.79.%[2]d.0 dev flat-vx onlink
			`, i, 1-i, e.underlay(), both[1-i].underlay())); err != nil {
			return way{}, err
		}
	}
	return both.way(nameRoutedByHand, bench.ByHand, netip.MustParseAddr("10.79.1.2")), nil
}

// routedPort gives the workload the address 10.NET.I.2, and a default route to its host.
func (e end) routedPort(ctx context.Context, net, i, mtu int) error {
	return e.script(ctx, fmt.Sprintf(`
		sysctl -qw net.ipv4.ip_forward=1
		ip link add port%[1]d type veth peer name eth0 netns %[2]s
		ip link set port%[1]d mtu %[4]d up
		ip address add 10.%[1]d.%[3]d.1/24 dev port%[1]d
		in ip link set eth0 mtu %[4]d up
		in ip address add 10.%[1]d.%[3]d.2/24 dev eth0
		in ip route add default via 10.%[1]d.%[3]d.1
		`, net, e.name(), i, mtu))
}

// bridge joins two workloads on one host.
func bridge(ctx context.Context, g *ground, _ Options) (way, error) {
	both, err := g.ends("local", "a", "a")
	if err != nil {
		return way{}, err
	}
	if err := both[0].unfiltered(); err != nil {
		return way{}, err
	}
	if err := both[0].script(ctx, `
		ip link add local-br type bridge
		ip link set local-br up
		`); err != nil {
		return way{}, err
	}
	for i, e := range both {
		if err := e.script(ctx, fmt.Sprintf(`
			ip link add local%[1]d type veth peer name eth0 netns %[2]s
			ip link set local%[1]d master local-br up
			in ip link set eth0 up
			in ip address add 10.82.0.%[1]d/24 dev eth0
			`, i+1, e.name())); err != nil {
			return way{}, err
		}
	}
	return both.way(nameBridge, bench.ByHand, netip.MustParseAddr("10.82.0.2")), nil
}
