package kernel

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// bridgedByHand joins a bridged network without Weft, as the manuals have it: a
// device that floods and learns, a bridge, and a station behind it.
const bridgedByHand = `
ip link add vxlan0 type vxlan id $vni local $local remote $weft dstport $port
ip link add br0 type bridge
ip link set vxlan0 master br0
ip link add port0 type veth peer name eth0 netns $station address $mac mtu $mtu
ip link set port0 master br0
ip link set vxlan0 up
ip link set port0 up
ip link set br0 up
ip -n $station link set eth0 up
ip -n $station address add $ip4/16 dev eth0
ip -n $station address add $ip6/64 dev eth0
`

// routedByHand joins a routed network as flannel's vxlan backend does
// (flannel/pkg/backend/vxlan): a device with a MAC that the others know, and for each
// other node an FDB entry, a neighbour and an onlink route. The containers hang on
// a bridge.
const routedByHand = `
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add flannel.1 address $vtepmac type vxlan id $vni local $local dstport $port nolearning
ip link set flannel.1 mtu $mtu up
ip address add $block4/32 dev flannel.1
ip address add $block6/128 dev flannel.1 nodad
bridge fdb append $weftmac dev flannel.1 dst $weft
ip neigh add $weftblock4 lladdr $weftmac dev flannel.1 nud permanent
ip neigh add $weftblock6 lladdr $weftmac dev flannel.1 nud permanent
ip route add $weftblock4/24 via $weftblock4 dev flannel.1 onlink
ip -6 route add $weftblock6/120 via $weftblock6 dev flannel.1 onlink
ip link add cni0 type bridge
ip link add port0 type veth peer name eth0 netns $station address $mac mtu $mtu
ip link set port0 master cni0 up
ip link set cni0 up
ip address add $router4/24 dev cni0
ip address add $router6/120 dev cni0 nodad
ip -n $station link set eth0 up
ip -n $station address add $ip4/24 dev eth0
ip -n $station address add $ip6/120 dev eth0
ip -n $station route add default via $router4
ip -n $station route add default via $router6
`

// TestHandTypedPeer: a host with no Weft on it, and what somebody typed there, exchanges
// packets with an endpoint.
func TestHandTypedPeer(t *testing.T) {
	t.Parallel()
	for kind, commands := range map[overlay.NetworkKind]string{overlay.Bridged: bridgedByHand, overlay.Routed: routedByHand} {
		for _, underlay := range []overlay.Family{overlay.V4, overlay.V6} {
			t.Run(string(kind)+" over "+string(underlay), func(t *testing.T) {
				t.Parallel()
				n := newTestNet(t, 2, kind, underlay)
				n.bed.hosts[0].apply(n.state(0))
				n.typeByHand(commands)
				for _, way := range [][2]int{{1, 0}, {0, 1}} {
					n.forget()
					from, to := way[0], way[1]
					for _, a := range n.endpoint(to).Addresses {
						if kind == overlay.Routed && a.IsLinkLocalUnicast() {
							continue // of another link
						}
						n.pingLargest(from, a)
						if kind == overlay.Bridged {
							n.resolved(from, a, n.endpoint(to).MAC)
						}
					}
				}
			})
		}
	}
}

// typeByHand runs commands on host 1, whose workload is the station.
func (n testNet) typeByHand(commands string) {
	t, s, e := n.bed.t, n.state(1).Networks[n.spec.Name], n.endpoint(1)
	t.Helper()
	weft := s.Members[n.bed.hosts[0].name]
	values := map[string]string{
		"vni": s.VNI.String(), "port": strconv.Itoa(int(s.Settings.Port)), "mtu": strconv.Itoa(s.MTU),
		"local": s.Local.String(), "weft": weft.VTEP.String(), "vtepmac": s.VTEPMAC.String(), "weftmac": weft.VTEPMAC.String(),
		"station": filepath.Base(n.workloads[1]), "mac": e.MAC.String(),
		"ip4": e.Addresses[0].String(), "ip6": e.Addresses[1].String(),
	}
	if s.Kind == overlay.Routed {
		mine, theirs := n.blocks(1), n.blocks(0)
		values["block4"], values["block6"] = mine[0].Masked().Addr().String(), mine[1].Masked().Addr().String()
		values["weftblock4"], values["weftblock6"] = theirs[0].Masked().Addr().String(), theirs[1].Masked().Addr().String()
		values["router4"], values["router6"] = mine[0].Masked().Addr().Next().String(), mine[1].Masked().Addr().Next().String()
	}
	var script strings.Builder
	for name, value := range values {
		fmt.Fprintf(&script, "%s=%s\n", name, value)
	}
	// Its addresses are not to be waited for.
	testenv.Run(t, n.workloads[1], "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
	testenv.Run(t, n.bed.hosts[1].ns, "sh", "-euc", script.String()+commands)
}

// forget makes both ends ask for each other again.
func (n testNet) forget() {
	n.bed.t.Helper()
	for _, ns := range n.workloads {
		testenv.Run(n.bed.t, ns, "ip", "neigh", "flush", "all")
	}
}

// pingLargest pings with the largest packet that the network carries, in one piece.
func (n testNet) pingLargest(from int, to netip.Addr) {
	n.bed.t.Helper()
	headers := 40 + 8
	if to.Is4() {
		headers = 20 + 8
	}
	name := to.String()
	if to.IsLinkLocalUnicast() {
		name += "%eth0"
	}
	ping(n.bed.t, n.workloads[from], name, "-M", "do", "-s", strconv.Itoa(n.spec.MTU-headers))
}

// resolved fails the test unless a workload found out a MAC.
func (n testNet) resolved(workload int, a netip.Addr, mac overlay.MAC) {
	t := n.bed.t
	t.Helper()
	var entries []struct {
		MAC string `json:"lladdr"`
	}
	out := testenv.Output(t, n.workloads[workload], "ip", "-j", "neigh", "show", "to", a.String(), "dev", "eth0")
	if err := json.Unmarshal([]byte(out), &entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].MAC != mac.String() {
		t.Errorf("workload %d has %s for %s, want MAC %s", workload, out, a, mac)
	}
}
