package interop

import (
	"fmt"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// peers are those that a plane has to talk to, and in what.
var peers = []struct {
	name  string
	plane overlay.PlaneName // under test
	join  func(p *pair, h *host)
	kinds []overlay.NetworkKind
	in    []overlay.Encapsulation
}{
	{"ebpf and Open vSwitch", overlay.PlaneEBPF, openVSwitch, bridged, []overlay.Encapsulation{overlay.EncapVXLAN, overlay.EncapGeneve, overlay.EncapGRE}},
	{"ebpf and commands", overlay.PlaneEBPF, byHand, both, vxlan},
	{"ebpf and kernel", overlay.PlaneEBPF, weft(overlay.PlaneKernel), both, vxlan},
	{"kernel and commands", overlay.PlaneKernel, byHand, both, vxlan},
}

var (
	bridged = []overlay.NetworkKind{overlay.Bridged}
	both    = []overlay.NetworkKind{overlay.Bridged, overlay.Routed}
	vxlan   = []overlay.Encapsulation{overlay.EncapVXLAN}
)

// TestInterop: two hosts that have only the wire in common exchange packets of either family
// over either, small and large, and what is on the wire is what tshark expects there.
func TestInterop(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "tshark", "ethtool", "ovs-vswitchd", "ovsdb-server", "ovs-vsctl")
	for _, peer := range peers {
		for _, kind := range peer.kinds {
			for _, e := range peer.in {
				for _, underlay := range families {
					t.Run(fmt.Sprintf("%s/%s %s over %s", peer.name, kind, e, underlay), func(t *testing.T) {
						t.Parallel()
						p := newPair(t, overlay.NetworkSpec{Kind: kind, Encapsulation: e, Underlay: underlay})
						weft(peer.plane)(p, p.hosts[0])
						peer.join(p, p.hosts[1])
						p.converse()
					})
				}
			}
		}
	}
}

// converse has the workloads talk while the wire is listened to.
func (p *pair) converse() {
	p.Helper()
	a, b := p.hosts[0], p.hosts[1]
	wire, workload := listen(p, a.ns, "eth0"), listen(p, a.workload, "eth0")
	for _, f := range p.families {
		p.ping(a, b, f)
		p.ping(b, a, f)
		p.transfer(a, b, f)
		p.transfer(b, a, f)
	}
	if n := longest(workload.frames()); n <= underlayMTU+packet.EthernetLen {
		p.Errorf("the workload's longest frame has %d bytes: none was left to be cut behind the plane", n)
	}
	p.read(wire.frames())
}
