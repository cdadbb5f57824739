package ebpf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// lowerings are tunnels of every kind, by name.
func lowerings() map[string]overlay.TunnelSpec {
	in, out := overlay.GREKey(0x111111), overlay.GREKey(0x222222)
	yes := true
	return map[string]overlay.TunnelSpec{
		"gre":       {Mode: overlay.TunnelGRE},
		"gre-keys":  {Mode: overlay.TunnelGRE, InKey: &in, OutKey: &out, TTL: overlay.TTL{Hops: 255}},
		"gre-slow":  {Mode: overlay.TunnelGRE, InChecksum: true, OutChecksum: true, InSequence: true, OutSequence: true},
		"gretap":    {Mode: overlay.TunnelGRETAP, OutKey: &out, TOS: overlay.TOS{Fixed: true, Value: 0x13}},
		"ipip":      {Mode: overlay.TunnelIPIP, TTL: overlay.TTL{Inherit: true}},
		"sit":       {Mode: overlay.TunnelSIT, NoPMTUDiscovery: true},
		"vxlan":     {Mode: overlay.TunnelVXLAN, VNI: 77, SourcePorts: &overlay.PortRange{Low: 40000, High: 40009}},
		"geneve":    {Mode: overlay.TunnelGeneve, VNI: 78, UDPChecksum: &yes},
		"nobody":    {Mode: overlay.TunnelIPIP, Remote: "peer.example"},
		"attached":  {Mode: overlay.TunnelGRE, Routes: []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.99.0.0/24")}}},
		"by-device": {Mode: overlay.TunnelIPIP, Underlay: "eth7"},
	}
}

// TestLowerTunnel holds the entries of tunnels to a file.
func TestLowerTunnel(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lowerings())) {
		s := lowerings()[name]
		w := dataplane.Tunnel{Name: "t", Spec: s.Complete("t"), Local: netip.MustParseAddr("192.0.2.1"), MTU: 1400}
		if s.Remote == "" {
			w.Remote = netip.MustParseAddr("192.0.2.2")
		}
		on := kernel.TunnelLinks{Device: 10, End: 11, MAC: overlay.MAC{2, 0, 0, 0, 0, 1}, Underlay: []uint32{3}}
		if s.Mode.HasVNI() {
			on.Idle = 12
		}
		if s.Underlay != "" {
			on.Out = 3
		}
		if name == "attached" { // to a routed network, whose domain has the near end
			on.Network, on.Device = 7, 0
		}
		fmt.Fprintf(&all, "%s\n%s\n", name, show(LowerTunnel(w, on, Counters{portOwner(11): 5})))
	}
	testenv.Golden(t, "tunnels.txt", all.String())
}

// show is all that is in the tables of a tunnel, a line each.
func show(tables Tables) string {
	var b strings.Builder
	each(tables.ends, func(k uint32, e programsEnd) {
		fmt.Fprintf(&b, "  end %d: encapsulation %d content %d from %s to %s flags %#x key %#x ttl %d tos %#x ports %d-%d\n",
			k, e.As.Encapsulation, e.Content, addrOf(e.As.Local.Word), addrOf(e.Remote.Word), e.Flags, e.OutKey, e.Ttl, e.Tos, e.FirstPort, e.LastPort)
		fmt.Fprintf(&b, "    as a network: flags %#x gateway %d underlay %d mtu %d port %d mac %s; device %d counter %d owner %#x\n",
			e.As.Flags, e.As.Gateway, e.As.Underlay, e.As.Mtu, networkOrder(e.As.UdpPort), overlay.MAC(e.As.VtepMac.Byte), e.Device, e.Counter, e.Owner)
	})
	each(tables.arrivals, func(k programsArrivalKey, end uint32) {
		fmt.Fprintf(&b, "  arrival encapsulation %d content %d from %s to %s port %d key %#x keyed %d: end %d\n",
			k.Encapsulation, k.Content, addrOf(k.Remote.Word), addrOf(k.Local.Word), networkOrder(k.UdpPort), k.Key, k.Keyed, end)
	})
	each(tables.ports, func(k uint32, p programsPort) { fmt.Fprintf(&b, "  port %d: owner %#x flags %#x\n", k, p.Vni, p.Flags) })
	each(tables.tunnels, func(k programsTunnelKey, e uint32) {
		fmt.Fprintf(&b, "  tunnel to %s protocol %d port %d: encapsulation %d\n", addrOf(k.Local.Word), k.Protocol, networkOrder(k.UdpPort), e)
	})
	return b.String()
}

// Tunnels between two addresses have arrivals of their own, as long as what tells them apart
// differs.
func TestArrivalsDoNotMeet(t *testing.T) {
	t.Parallel()
	seen := map[programsArrivalKey]string{}
	for _, name := range []string{"gre", "gre-keys", "gretap", "ipip", "sit", "vxlan", "geneve"} {
		w := dataplane.Tunnel{Spec: lowerings()[name].Complete("t"), Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.2")}
		for k := range LowerTunnel(w, kernel.TunnelLinks{End: 11}, nil).arrivals {
			if other, ok := seen[k]; ok {
				t.Errorf("%s and %s take the same packets", name, other)
			}
			seen[k] = name
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d arrivals", len(seen))
	}
}
