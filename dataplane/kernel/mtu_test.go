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

// Joining somebody's bridge leaves its MTU as it is, and a station behind it that sends
// too large a packet is told, as a workload is.
func TestSegmentMTU(t *testing.T) {
	t.Parallel()
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	here, station := n.withSegment(t, 0, overlay.MAC{2, 0, 0, 0, 1, 1}, "10.7.0.200/16")
	testenv.Run(t, station, "ip", "link", "set", "eth0", "mtu", fmt.Sprint(bedMTU))
	a, b := n.bed.hosts[0], n.bed.hosts[1]
	show := []string{"sh", "-c", "ip -o link show virbr0 | grep -o 'mtu [0-9]*'"}
	before := testenv.Output(t, a.ns, show...)
	a.apply(here)
	if after := testenv.Output(t, a.ns, show...); after != before {
		t.Errorf("the bridge had %s and has %s", before, after)
	}
	there := n.state(1)
	mac := overlay.MAC{2, 0, 0, 0, 1, 1}
	there.Networks["blue"].Remotes[mac] = "a"
	b.apply(there)
	far := n.endpoint(1).Addresses[0].String()
	ping(t, station, far)
	out, err := netns.Output(context.Background(), station, "ping", "-n", "-c2", "-W2", "-Mdo",
		"-s", fmt.Sprint(bedMTU-ip4Header-icmpHeader), far)
	if err == nil || !strings.Contains(out, fmt.Sprint(n.spec.MTU)) {
		t.Errorf("a packet of %d bytes is not answered with an MTU of %d: %v: %s", bedMTU, n.spec.MTU, err, out)
	}
}
