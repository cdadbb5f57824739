package kernel

import (
	"net/netip"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// TestMasquerade: a rule that masquerades all that leaves does not change the source
// of tunnel packets, also where that is not the NIC's first address.
func TestMasquerade(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "iptables")
	n := newTestNet(t, 2, overlay.Bridged, overlay.V4)
	a, b := n.bed.hosts[0], n.bed.hosts[1]
	second := netip.MustParseAddr("192.0.2.101")
	testenv.Run(t, a.ns, "ip", "address", "add", second.String()+"/24", "dev", "eth0")
	testenv.Run(t, a.ns, "iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
	here, there := n.state(0), n.state(1)
	net := here.Networks[n.spec.Name]
	net.Local = second
	here.Networks[n.spec.Name] = net
	there.Networks[n.spec.Name].Members[a.name] = dataplane.Member{VTEP: second, VTEPMAC: overlay.VTEPMACFor(a.name)}
	a.apply(here)
	b.apply(there)
	ping(t, n.workloads[0], n.endpoint(1).Addresses[0].String())
	ping(t, n.workloads[1], n.endpoint(0).Addresses[0].String())
}
