package kernel

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// Lengths of headers, in bytes.
const ip4Header, ip6Header, icmpHeader = 20, 40, 8

// A packet of the ports' MTU passes unfragmented, and whoever sends a larger one is
// told by ICMP: nothing is lost in silence.
func TestLargestPacket(t *testing.T) {
	t.Parallel()
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		for _, underlay := range []overlay.Family{overlay.V4, overlay.V6} {
			t.Run(string(kind)+" over "+string(underlay), func(t *testing.T) {
				t.Parallel()
				n := newTestNet(t, 2, kind, underlay)
				for i, h := range n.bed.hosts {
					h.apply(n.state(i))
				}
				far := n.endpoint(1).Addresses
				ping(t, n.workloads[0], far[0].String(), "-Mdo", "-s", fmt.Sprint(n.spec.MTU-ip4Header-icmpHeader))
				ping(t, n.workloads[0], far[1].String(), "-Mdo", "-s", fmt.Sprint(n.spec.MTU-ip6Header-icmpHeader))
				testenv.Run(t, n.workloads[0], "ip", "link", "set", "eth0", "mtu", fmt.Sprint(bedMTU))
				for i, header := range []int{ip4Header, ip6Header} {
					out, err := netns.Output(context.Background(), n.workloads[0], "ping", "-n", "-c2", "-W2", "-Mdo",
						"-s", fmt.Sprint(bedMTU-header-icmpHeader), far[i].String())
					if err == nil || !strings.Contains(out, fmt.Sprint(n.spec.MTU)) {
						t.Errorf("%s: a packet of %d bytes is not answered with an MTU of %d: %v: %s", far[i], bedMTU, n.spec.MTU, err, out)
					}
				}
			})
		}
	}
}
