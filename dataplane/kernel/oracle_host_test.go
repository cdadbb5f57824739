package kernel

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

// oracleHost is a host that is like all others: the same underlay device, a
// workload's namespace, and a bridge of somebody else's.
type oracleHost struct {
	t     testing.TB
	state dataplane.State
	// ns is the host's namespace, workload that of an endpoint, dir where the
	// networks' are mounted, domain the network's.
	ns, workload, dir, domain string
}

const (
	foreignBridge = "virbr0"
	oracleMTU     = 1600 // no device's default
)

// hostCommands make a host as it is before Weft.
const hostCommands = `
link set lo up
link add eth0 address 02:75:00:00:00:01 mtu 1600 type veth peer name far0 address 02:75:00:00:00:02 mtu 1600
link set eth0 addrgenmode none up
link set far0 addrgenmode none up
address add 192.0.2.1/24 dev eth0
address add 2001:db8:ffff::1/64 dev eth0 nodad
link add virbr0 address 02:75:00:00:00:03 type bridge mcast_snooping 0
link set virbr0 addrgenmode none up
`

// newOracleHost makes one on which nothing of Weft's is. If its namespaces are named, the
// network's is to be where ip netns has its own; no plane may work there, as it
// would take other tests' networks for its own.
func newOracleHost(t testing.TB, s oracleState, named bool) *oracleHost {
	t.Helper()
	h := &oracleHost{
		t: t, ns: testenv.Namespace(t), workload: testenv.Namespace(t),
		dir: filepath.Join(t.TempDir(), "netns"), state: s.state(),
	}
	name := overlay.NetworkName("blue")
	if named {
		name, h.dir = overlay.NetworkName(testenv.Name(t, "blue")), netns.Dir
	}
	h.settle(name)
	h.domain = string(DomainNS(h.dir, name))
	testenv.Run(t, h.ns, "sh", "-ec", "ip -batch - <<'end'"+hostCommands+"end")
	t.Cleanup(func() {
		if err := netns.Delete(h.domain); err != nil {
			t.Error(err)
		}
	})
	return h
}

// settle makes the State this host's: its namespaces, and MTUs that no device has
// by itself.
func (h *oracleHost) settle(name overlay.NetworkName) {
	n := h.state.Networks["blue"]
	delete(h.state.Networks, "blue")
	n.Name, n.UnderlayMTU, n.MTU = name, oracleMTU, n.MTU+oracleMTU-bedMTU
	for e, p := range n.Ports {
		if p.Attach.Type == overlay.AttachNetns {
			p.Attach.Target = h.workload
			n.Ports[e] = p
		}
	}
	h.state.Networks[name] = n
}

// explain is the commands for the State.
func (h *oracleHost) explain() []string {
	devices := map[netip.Addr]string{}
	for _, n := range h.state.Networks {
		for _, r := range n.Routes {
			if r.Direct {
				devices[r.Via] = "eth0"
			}
		}
	}
	return Explain(h.state, h.dir, devices)
}

// names has what the host's own names are replaced by.
func (h *oracleHost) names() *strings.Replacer {
	return strings.NewReplacer(filepath.Base(h.domain), domainPrefix+"blue",
		strings.TrimPrefix(filepath.Base(h.domain), domainPrefix), "blue")
}

func addressOf(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}
