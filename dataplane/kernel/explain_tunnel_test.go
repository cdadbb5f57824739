package kernel

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// explainedTunnels are tunnels of every mode over either underlay, as they are declared.
func explainedTunnels() []dataplane.Tunnel {
	ends := map[overlay.Family][2]string{overlay.V4: {"192.0.2.1", "192.0.2.7"}, overlay.V6: {"2001:db8:ffff::1", "2001:db8:ffff::7"}}
	all := []dataplane.Tunnel{vxlanTunnel(), vxlanTunnel6(), vxlanGroup()}
	all[0].Name, all[1].Name, all[2].Name = "vxlan", "vxlan6", "vxlan-group"
	for n, c := range append(stockTunnels(), tunnelCase{name: "udp", family: overlay.V4, spec: overlay.TunnelSpec{Mode: overlay.TunnelUDP}, inner: bothFamilies}) {
		name := overlay.TunnelName(strings.NewReplacer(", ", "-", " ", "-").Replace(c.name))
		s := c.spec
		s.Addresses = c.addressesOf(n, 0)
		if slices.Contains(c.inner, overlay.V4) {
			s.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.8.0.0/16")}}
		}
		if s.TTL.IsZero() {
			s.TTL.Hops = 64
		}
		t := oracleTunnel(name, ends[c.family][0], ends[c.family][1], s)
		if s.Mode == overlay.TunnelUDP {
			t.Spec.Plane = overlay.PlaneUser
		}
		all = append(all, t)
	}
	return all
}

// TestExplainTunnels: whichever plane forwards for a tunnel, the commands are those that somebody
// would type for it.
func TestExplainTunnels(t *testing.T) {
	t.Parallel()
	modes := map[overlay.TunnelMode]bool{}
	for _, tunnel := range explainedTunnels() {
		modes[tunnel.Spec.Mode] = true
		byHand := Explain(tunnelState(tunnel), "/run/netns", nil)
		testenv.Golden(t, "explain/tunnel-"+string(tunnel.Name)+".txt", lines(byHand))
		if tunnel.Spec.Plane == overlay.PlaneUser {
			continue
		}
		tunnel.Spec.Plane = overlay.PlaneEBPF
		comment := "# tunnel " + string(tunnel.Name) + " is on plane ebpf here: " + tunnel.Spec.Device +
			" is a veth, and programs do what these commands have the kernel do"
		if tunnel.Spec.Mode.HasVNI() && tunnel.Spec.UDPChecksum == nil {
			comment += ", but for outer UDP checksums"
		}
		if got := Explain(tunnelState(tunnel), "/run/netns", nil); len(got) == 0 || got[0] != comment || !slices.Equal(got[1:], byHand) {
			t.Errorf("on the eBPF plane\n%s\nwant the comment, and\n%s", lines(got), lines(byHand))
		}
	}
	if want := len(overlay.TunnelModes()); len(modes) != want {
		t.Errorf("%d modes of %d", len(modes), want)
	}
}

// A tunnel that is part of a network is explained like the network.
func TestExplainAttachedTunnel(t *testing.T) {
	t.Parallel()
	explained := func(p overlay.PlaneName) []string {
		return Explain(node(overlay.Bridged, overlay.V4, func(n *dataplane.Network) {
			n.Plane = p
			s := overlay.TunnelSpec{Node: "a", Mode: overlay.TunnelGRETAP, Remote: "192.0.2.9", TTL: overlay.TTL{Hops: 64}, Plane: p}.Complete("out")
			out := dataplane.Tunnel{Name: "out", Spec: s, Local: n.Local, Remote: netip.MustParseAddr(s.Remote), MTU: 1462}
			n.Ports["tunnel/out"] = dataplane.Port{Name: "tunnel/out", Kind: overlay.PortSegment, Attach: overlay.Attach{Type: overlay.AttachTunnel}, Device: "out", Tunnel: &out}
		}), "/run/netns", nil)
	}
	byHand, got := explained(overlay.PlaneKernel), explained(overlay.PlaneEBPF)
	if !slices.ContainsFunc(byHand, func(l string) bool { return strings.Contains(l, "type gretap") }) {
		t.Fatalf("there is no gretap link:\n%s", lines(byHand))
	}
	if !slices.Equal(got[1:], byHand) {
		t.Errorf("on the eBPF plane\n%s\nwant\n%s", lines(got), lines(byHand))
	}
}
