package interop

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"weft/internal/testenv"
	"weft/overlay"
)

// station makes a host's workload by hand, with nothing of Weft's but what the registry has of
// it: its eth0 leads to port0 on the host.
func (p *pair) station(h *host) {
	p.Helper()
	in := func(argv ...string) { testenv.Run(p, h.workload, argv...) }
	in("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0") // its addresses are not to be waited for
	h.run("ip", "link", "add", "port0", "type", "veth", "peer", "name", "eth0", "netns", filepath.Base(h.workload),
		"address", h.mac().String(), "mtu", strconv.Itoa(p.network(h).MTU))
	h.run("ip", "link", "set", "port0", "up")
	in("ip", "link", "set", "eth0", "up")
	for i, f := range p.families {
		bits := p.spec.Subnets[i].Bits()
		if p.spec.Kind == overlay.Routed {
			bits = p.blocks(h)[i].Bits()
		}
		in("ip", "address", "add", fmt.Sprintf("%s/%d", p.address(h, f), bits), "dev", "eth0")
		if p.spec.Kind == overlay.Routed {
			in("ip", "route", "add", "default", "via", p.blocks(h)[i].Addr().Next().String())
		}
	}
}

// bridgedByHand joins a bridged network as the manuals have it: a device that floods and
// learns, and a bridge.
const bridgedByHand = `
ip link add vxlan0 type vxlan id $vni local $local remote $weft dstport $port udp6zerocsumrx
ip link add br0 type bridge
ip link set vxlan0 master br0
ip link set port0 master br0
ip link set vxlan0 up
ip link set br0 up
`

// routedByHand joins a routed network as flannel's vxlan backend does
// (flannel/pkg/backend/vxlan): a device with a MAC that the others know, and for each
// other node an FDB entry, a neighbour and an onlink route. The containers hang on
// a bridge.
const routedByHand = `
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add flannel.1 address $vtepmac type vxlan id $vni local $local dstport $port nolearning udp6zerocsumrx
ip link set flannel.1 mtu $mtu up
ip address add $block4/32 dev flannel.1
ip address add $block6/128 dev flannel.1 nodad
bridge fdb append $weftmac dev flannel.1 dst $weft
ip neigh add $weftblock4 lladdr $weftmac dev flannel.1 nud permanent
ip neigh add $weftblock6 lladdr $weftmac dev flannel.1 nud permanent
ip route add $weftblock4/24 via $weftblock4 dev flannel.1 onlink
ip -6 route add $weftblock6/120 via $weftblock6 dev flannel.1 onlink
ip link add cni0 type bridge
ip link set port0 master cni0
ip link set cni0 up
ip address add $router4/24 dev cni0
ip address add $router6/120 dev cni0 nodad
`

// byHand joins a network of VXLAN by commands that somebody types.
func byHand(p *pair, h *host) {
	p.Helper()
	n := p.network(h)
	h.connect("eth0")
	p.station(h)
	commands, values := bridgedByHand, map[string]string{
		"vni": n.VNI.String(), "port": strconv.Itoa(int(n.Port)), "mtu": strconv.Itoa(n.MTU),
		"local": n.Local.String(), "weft": n.Members[p.hosts[0].name].VTEP.String(),
	}
	if n.Kind == overlay.Routed {
		commands = routedByHand
		mine, theirs := p.blocks(h), p.blocks(p.hosts[0])
		values["vtepmac"], values["weftmac"] = n.VTEPMAC.String(), n.Members[p.hosts[0].name].VTEPMAC.String()
		values["block4"], values["block6"] = mine[0].Addr().String(), mine[1].Addr().String()
		values["weftblock4"], values["weftblock6"] = theirs[0].Addr().String(), theirs[1].Addr().String()
		values["router4"], values["router6"] = mine[0].Addr().Next().String(), mine[1].Addr().Next().String()
	}
	var script strings.Builder
	for name, value := range values {
		fmt.Fprintf(&script, "%s=%s\n", name, value)
	}
	h.run("sh", "-euc", script.String()+commands)
}
