package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
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
	bound := func(n *dataplane.Network) { n.UnderlayDevice = "eth0" }
	for _, c := range []struct {
		name     string
		kind     overlay.NetworkKind
		underlay overlay.Family
		edits    []func(*dataplane.Network)
	}{
		{"bridged over v4", overlay.Bridged, overlay.V4, nil},
		{"bridged over v6", overlay.Bridged, overlay.V6, nil},
		{"routed over v4", overlay.Routed, overlay.V4, nil},
		{"routed over v6", overlay.Routed, overlay.V6, nil},
		{"bridged over a device", overlay.Bridged, overlay.V4, []func(*dataplane.Network){bound}},
		{"routed over a device", overlay.Routed, overlay.V6, []func(*dataplane.Network){bound}},
		{"multicast over v6", overlay.Bridged, overlay.V6, []func(*dataplane.Network){grouped}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newTestNet(t, 2, c.kind, c.underlay)
			for i, h := range n.bed.hosts {
				h.apply(n.edited(i, c.edits...))
			}
			n.answersTooLarge(t)
		})
	}
}

// answersTooLarge: from host 0 to host 1 the largest packet passes, and a larger one is answered.
func (n testNet) answersTooLarge(t *testing.T) {
	t.Helper()
	headers := map[overlay.Family]int{overlay.V4: ip4Header + icmpHeader, overlay.V6: ip6Header + icmpHeader}
	send := func(a netip.Addr, size int) (string, error) {
		return netns.Output(context.Background(), n.workloads[0], "ping", "-n", "-c1", "-W10", "-Mdo",
			"-s", fmt.Sprint(size-headers[overlay.FamilyOf(a)]), a.String())
	}
	far := slices.DeleteFunc(n.endpoint(1).Addresses, netip.Addr.IsLinkLocalUnicast)
	for _, a := range far {
		if out, err := send(a, n.spec.MTU); err != nil {
			t.Errorf("%s: the largest packet does not pass: %v: %s", a, err, out)
		}
	}
	testenv.Run(t, n.workloads[0], "ip", "link", "set", "eth0", "mtu", fmt.Sprint(bedMTU))
	for _, a := range far {
		if out, err := send(a, bedMTU); err == nil || !strings.Contains(out, fmt.Sprint(n.spec.MTU)) {
			t.Errorf("%s: a packet of %d bytes is not answered with an MTU of %d: %v: %s", a, bedMTU, n.spec.MTU, err, out)
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
