package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/internal/testenv/openvswitch"
	"weft/overlay"
)

// bridge is a peer whose tunnels are Open vSwitch's; what has the row's addresses is a workload
// that hangs on it.
type bridge struct {
	*openvswitch.Switch
	workload string
	device   string // of the last row
	last     group
}

func newSwitch(t testing.TB, wire string) peer {
	t.Helper()
	ns := plug(t, wire, "far")
	testenv.Run(t, ns, "ip", "link", "set", "lo", "up")
	b := &bridge{workload: testenv.Namespace(t), device: "eth0"}
	answerAll(t, b.workload)
	testenv.Run(t, ns, "ip", "link", "add", "port0", "type", "veth", "peer", "name", b.device, "netns", filepath.Base(b.workload))
	testenv.Run(t, ns, "ip", "link", "set", "port0", "up")
	testenv.Run(t, b.workload, "ethtool", "-K", b.device, "tx", "off") // nobody fills in checksums behind this one either
	b.Switch = openvswitch.Start(t, ns)
	b.Configure(t, "add-port", "int", "port0")
	b.Connect(t, local(far, v4), local(far, v6))
	serve(t, b.workload)
	t.Cleanup(b.last.leave)
	return b
}

// join gives the workload the addresses, MAC and MTU of the row's far end, and the switch the tunnel.
func (b *bridge) join(t testing.TB, r row) {
	t.Helper()
	script := fmt.Sprintf("ip -batch - <<end\nlink set %s down\nlink set %s name %s address %s mtu %d\naddress flush dev %s\n",
		b.device, b.device, r.device(), r.mac(far), r.mtuAt(t, far), r.device())
	for _, f := range r.inside() {
		script += fmt.Sprintf("address add %s/%d dev %s\n", r.address(far, f), r.subnet(f).Bits(), r.device())
	}
	testenv.Run(t, b.workload, "sh", "-ec", script+"link set "+r.device()+" up\nend\n")
	b.device = r.device()
	b.Configure(t, append([]string{"--if-exists", "del-port", "int", "tunnel", "--", "add-port", "int", "tunnel", "--", "set", "interface", "tunnel"}, r.options()...)...)
	check(t, b.last.join(b.workload, b.device))
	b.flow(t, r)
}

// flow has packets pass. A tunnel without frames has packets alone on its port, which no switch
// learns: for these all is said by hand, to the workload who its neighbours are, too.
func (b *bridge) flow(t testing.TB, r row) {
	t.Helper()
	flows := []string{"actions=normal"}
	if !r.mode.Ethernet() {
		flows = []string{
			"in_port=port0,ip,actions=output:tunnel", "in_port=port0,ipv6,actions=output:tunnel",
			"in_port=tunnel,actions=mod_dl_dst:" + r.mac(far).String() + ",output:port0",
		}
		for _, f := range r.inside() {
			testenv.Run(t, b.workload, "ip", "neigh", "replace", r.address(near, f).String(), "lladdr", r.mac(near).String(), "dev", r.device())
		}
	}
	file := filepath.Join(t.TempDir(), "flows")
	if err := os.WriteFile(file, []byte(strings.Join(flows, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, "", "ovs-ofctl", "replace-flows", filepath.Join(b.Dir, "int.mgmt"), file)
}

func (b *bridge) ask(_ testing.TB, _ row, all []echo) []error { return askAll(b.workload, all) }

// options are those of the tunnel's interface (ovs-vswitchd.conf.db(5)).
func (r row) options() []string {
	kind := map[overlay.TunnelMode]string{overlay.TunnelGRETAP: "gre", overlay.TunnelGRE: "gre"}[r.mode]
	if kind == "" {
		kind = string(r.mode)
	}
	all := []string{"type=" + kind, "options:local_ip=" + local(far, r.over).Addr().String(), "options:remote_ip=" + local(near, r.over).Addr().String()}
	switch {
	case r.mode.HasVNI() || r.network():
		all = append(all, fmt.Sprintf("options:key=%d", r.vni()))
	case r.hasKeys():
		all = append(all, fmt.Sprintf("options:in_key=%d", r.key(far)), fmt.Sprintf("options:out_key=%d", r.key(near)))
	}
	if r.mode == overlay.TunnelGRE {
		all = append(all, "options:packet_type=legacy_l3")
	}
	if r.hasChecksums() || r.option == udpSummed {
		all = append(all, "options:csum=true")
	}
	if r.hasNumbers() {
		all = append(all, "options:seq=true")
	}
	return all
}
