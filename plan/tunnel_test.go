package plan

import (
	"net/netip"
	"strings"
	"testing"

	"weft/overlay"
)

// A tunnel is on the plane that can do what it wants, and the reason is said.
func TestTunnelPlane(t *testing.T) {
	t.Parallel()
	both := []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}
	all := []string{"vxlan", "geneve", "gre", "gretap", "ipip", "sit"}
	stock := overlay.NodeSpec{Planes: both, TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: all, overlay.PlaneKernel: all}}
	bare := overlay.NodeSpec{Planes: both, TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneEBPF: all, overlay.PlaneKernel: {"vxlan"}}}
	old := overlay.NodeSpec{Planes: both[1:], Lacks: map[overlay.PlaneName]string{overlay.PlaneEBPF: "no tcx"}, TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneKernel: all}}
	user := overlay.NodeSpec{Planes: append([]overlay.PlaneName{overlay.PlaneUser}, both...)}
	yes, local := true, netip.MustParseAddr("192.0.2.1")
	for name, tt := range map[string]struct {
		node  overlay.NodeSpec
		spec  overlay.TunnelSpec
		plane overlay.PlaneName
		why   string
		err   string
	}{
		"the fastest":         {stock, overlay.TunnelSpec{Mode: overlay.TunnelGRE}, overlay.PlaneEBPF, "auto: this node has all that it needs", ""},
		"checksums":           {stock, overlay.TunnelSpec{Mode: overlay.TunnelGRE, OutChecksum: true}, overlay.PlaneKernel, "auto: GRE with checksums or sequence numbers is the kernel's device's to do", ""},
		"slow mode":           {bare, overlay.TunnelSpec{Mode: overlay.TunnelGRE, InSequence: true}, overlay.PlaneEBPF, "auto: slow mode, without offloads, for GRE with checksums or sequence numbers: plane kernel: this kernel has no gre device", ""},
		"no programs":         {old, overlay.TunnelSpec{Mode: overlay.TunnelIPIP}, overlay.PlaneKernel, "auto: plane ebpf is not there (no tcx)", ""},
		"a group":             {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, Remote: "239.1.1.1"}, overlay.PlaneKernel, "auto: learning by multicast is the kernel's device's to do", ""},
		"proxy":               {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, Proxy: true}, overlay.PlaneKernel, "auto: answering ARP and ND for others is the kernel's device's to do", ""},
		"checksum of UDP":     {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, UDPChecksum: &yes}, overlay.PlaneKernel, "auto: computing outer UDP checksums is the kernel's device's to do", ""},
		"both":                {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, UDPChecksum: &yes, Proxy: true, Plane: overlay.PlaneEBPF}, "", "", "plane ebpf does not do answering ARP and ND for others"},
		"sums without device": {bare, overlay.TunnelSpec{Mode: overlay.TunnelGeneve, UDPChecksum: &yes}, overlay.PlaneEBPF, "auto: slow mode, without offloads, for computing outer UDP checksums: plane kernel: this kernel has no geneve device", ""},
		"sums, named":         {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, UDPChecksum: &yes, Plane: overlay.PlaneEBPF}, overlay.PlaneEBPF, "the tunnel names it", ""},
		"source ports":        {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, SourcePorts: &overlay.PortRange{Low: 40000, High: 40009}}, overlay.PlaneEBPF, "auto: this node has all that it needs", ""},
		"datagrams":           {user, overlay.TunnelSpec{Mode: overlay.TunnelUDP}, overlay.PlaneUser, "auto: the only plane that does mode udp", ""},
		"named":               {stock, overlay.TunnelSpec{Mode: overlay.TunnelGRE, Plane: overlay.PlaneKernel}, overlay.PlaneKernel, "the tunnel names it", ""},
		"nobody knows modes":  {overlay.NodeSpec{}, overlay.TunnelSpec{Mode: overlay.TunnelGRE}, overlay.PlaneKernel, "auto: plane ebpf is not there", ""},

		"named, lacking":      {bare, overlay.TunnelSpec{Mode: overlay.TunnelGRE, Plane: overlay.PlaneKernel}, "", "", "plane kernel: this kernel has no gre device"},
		"named, not its kind": {stock, overlay.TunnelSpec{Mode: overlay.TunnelVXLAN, Proxy: true, Plane: overlay.PlaneEBPF}, "", "", "plane ebpf does not do answering ARP and ND for others"},
		"bound":               {stock, overlay.TunnelSpec{Mode: overlay.TunnelGeneve, Local: local, Underlay: "eth0"}, overlay.PlaneEBPF, "auto: this node has all that it needs", ""},
		"bound to an address": {stock, overlay.TunnelSpec{Mode: overlay.TunnelGeneve, Local: local, Plane: overlay.PlaneKernel}, "", "",
			"plane kernel: its geneve device has no local address, but sends as the host's routes have it; want plane ebpf, or leave it out"},
		"bound to a device": {old, overlay.TunnelSpec{Mode: overlay.TunnelGeneve, Underlay: "eth0"}, "", "",
			"node a has no plane for mode geneve: plane ebpf is not there (no tcx); plane kernel: its geneve device has no underlay device, but sends as the host's routes have it; want plane ebpf, or leave it out"},
		"user for others": {user, overlay.TunnelSpec{Mode: overlay.TunnelGRE, Plane: overlay.PlaneUser}, "", "", "plane user does mode udp alone"},
		"udp for others":  {user, overlay.TunnelSpec{Mode: overlay.TunnelUDP, Plane: overlay.PlaneEBPF}, "", "", "plane ebpf does not do mode udp; want plane user"},
		"nobody":          {bare, overlay.TunnelSpec{Mode: "other"}, "", "", "node a has no plane for mode other: plane ebpf: it does not do mode other here; plane kernel: this kernel has no other device"},
	} {
		n := &overlay.Node{Meta: overlay.Meta{Name: "a"}, Spec: tt.node}
		plane, why, err := TunnelPlane(n, tt.spec, overlay.V4)
		said := ""
		if err != nil {
			plane, why, said = "", "", err.Error()
		}
		if plane != tt.plane || why != tt.why || said != tt.err {
			t.Errorf("%s: %q, %q, %q; want %q, %q, %q", name, plane, why, said, tt.plane, tt.why, tt.err)
		}
	}
	n := &overlay.Node{Spec: stock}
	if _, _, err := TunnelPlane(n, overlay.TunnelSpec{Mode: overlay.TunnelGRE}, overlay.V6); err == nil {
		t.Error("gre over IPv6 is another device than gre")
	}
}

// A route that leads to the peer itself is refused, whatever names the peer, where the node can tell
// that nothing leads there more closely.
func TestTunnelRouteToItsRemote(t *testing.T) {
	t.Parallel()
	self := &overlay.Node{Meta: overlay.Meta{Name: "a"}, Spec: overlay.NodeSpec{
		Underlay: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24")}, UnderlayMTU: 1500,
		Planes: []overlay.PlaneName{overlay.PlaneKernel}, TunnelModes: map[overlay.PlaneName][]string{overlay.PlaneKernel: {"gre"}},
	}}
	for _, tt := range []struct {
		route, remote string
		network       overlay.NetworkName
		refused       bool
	}{
		{"192.0.2.12/32", "192.0.2.12", "", true},
		{"192.0.2.0/25", "192.0.2.12", "", true},
		{"192.0.2.0/25", "192.0.2.12", "green", false},
		{"192.0.2.128/25", "192.0.2.12", "", false},
		{"192.0.0.0/16", "192.0.2.12", "", false},
		{"0.0.0.0/0", "192.0.2.12", "", false},
		{"203.0.113.9/32", "203.0.113.9", "", true},
		{"203.0.113.0/24", "203.0.113.9", "", false}, // the host may have a route to it
	} {
		for _, remote := range []string{tt.remote, "peer.example"} {
			r := &overlay.Tunnel{Meta: overlay.Meta{Name: "neta", Network: tt.network}, Spec: overlay.TunnelSpec{
				Node: "a", Mode: overlay.TunnelGRE, Remote: remote, Routes: []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix(tt.route)}},
			}}
			_, err := tunnel(self, r, overlay.TunnelPath{Remote: netip.MustParseAddr(tt.remote)})
			want := "route " + tt.route + " would lead the tunnel's own packets to remote " + tt.remote + " into the tunnel"
			if refused := err != nil && strings.HasPrefix(err.Error(), want); refused != tt.refused || !refused && err != nil {
				t.Errorf("route %s to %s in %q: %v; refused: %t", tt.route, remote, tt.network, err, tt.refused)
			}
		}
	}
}
