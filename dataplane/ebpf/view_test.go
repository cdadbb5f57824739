package ebpf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/internal/testenv"
	"weft/overlay"
)

// opened are programs with maps of their own, on no device.
func opened(t *testing.T) *Programs {
	t.Helper()
	testenv.NeedRoot(t)
	const host = "/proc/self/ns/net"
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := Remove(dir, host); err != nil {
			t.Error(err)
		}
	})
	return openTested(t, Options{Dir: dir, Host: host})
}

const (
	webIndex, dockerIndex, gatewayIndex, tunnelIndex = 7, 8, 9, 10
)

var deviceNames = map[uint32]string{webIndex: "wfweb", dockerIndex: "wfdocker", gatewayIndex: "wfgw", tunnelIndex: "wfvx"}

func nameOf(index uint32) string { return deviceNames[index] }

// someNetwork has a workload, a bridge with who knows what behind it, and another node.
func someNetwork(kind overlay.NetworkKind, vni overlay.VNI) (dataplane.Network, kernel.ProgramLinks) {
	var n dataplane.Network
	n.Name, n.VNI, n.Kind, n.Plane, n.Encapsulation = "blue", vni, kind, overlay.PlaneEBPF, overlay.EncapVXLAN
	n.Local, n.Settings.Port, n.MTU, n.UnderlayMTU = netip.MustParseAddr("192.0.2.1"), overlay.DefaultVXLANPort, 1450, 1500
	n.GatewayMAC, n.VTEPMAC = vni.GatewayMAC(), overlay.MAC{2, 1}
	n.Gateways = []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24"), netip.MustParsePrefix("fd00:7::1/64")}
	web := overlay.MAC{2, 0, 0, 0, 0, 1}
	n.Ports = map[overlay.EndpointName]dataplane.Port{
		"web": {Name: "web", Kind: overlay.PortSingle, Device: "wfweb", MAC: web, Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.2")}},
	}
	n.Members = map[overlay.NodeName]dataplane.Member{"b": {VTEP: netip.MustParseAddr("192.0.2.2"), VTEPMAC: overlay.MAC{2, 2}}}
	if kind == overlay.Routed {
		n.Routes = map[netip.Prefix]dataplane.Route{
			netip.MustParsePrefix("10.7.1.0/24"): {Node: "b"}, netip.MustParsePrefix("fd00:7:1::/64"): {Node: "b"},
		}
	} else {
		n.Ports["docker"] = dataplane.Port{Name: "docker", Kind: overlay.PortSegment, Device: "wfdocker"}
		n.Remotes = map[overlay.MAC]overlay.NodeName{{2, 0, 0, 0, 0, 3}: "b"}
		n.Neighbors = map[netip.Addr]overlay.MAC{
			netip.MustParseAddr("10.7.0.2"): web, netip.MustParseAddr("10.7.0.3"): {2, 0, 0, 0, 0, 3},
		}
	}
	return n, kernel.ProgramLinks{Gateway: gatewayIndex, Tunnel: tunnelIndex, Ports: map[overlay.EndpointName]kernel.ProgramLink{
		"web": {Index: webIndex, Peer: true}, "docker": {Index: dockerIndex},
	}}
}

// learn puts a station into the map as the program on a segment port does.
func learn(t *testing.T, p *Programs, vni overlay.VNI, mac overlay.MAC, ago time.Duration) programsStationKey {
	t.Helper()
	now, err := sinceBoot()
	if err != nil {
		t.Fatal(err)
	}
	k := stationKey(vni, mac)
	s := programsStation{Port: dockerIndex, Flags: stationLearnt, Seen: uint64(now - ago)}
	if err := p.objects.Stations.Put(k, s); err != nil {
		t.Fatal(err)
	}
	return k
}

// lines are what weft fdb, neigh and route show of a view.
func lines(v kernel.ProgramView) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, e := range v.FDB {
		age := "-"
		if e.Age >= 0 {
			age = e.Age.Round(time.Minute).String()
		}
		add("fdb %s %s port %q node %q at %s, %s, age %s", e.MAC, e.Device, e.Port, e.Node, e.VTEP, e.Origin, age)
	}
	for _, n := range v.Neighbors {
		add("neigh %s %s, %s", n.Address, n.MAC, n.Origin)
	}
	for _, r := range v.Routes {
		add("route %s via %s %s node %q, %s", r.Prefix, r.Via, r.Device, r.Node, r.Origin)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// withDirect adds routes to a routed network that its own host has: by a tunnel, and over the
// underlay.
func withDirect(n dataplane.Network) {
	t := dataplane.Tunnel{Name: "site", Remote: netip.MustParseAddr("192.0.2.12"), MTU: 1400, Spec: overlay.TunnelSpec{
		Mode: overlay.TunnelGRE, Plane: overlay.PlaneEBPF, Device: "gg", Routes: []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.60.0.0/24")}},
	}}
	n.Ports["tunnel/site"] = dataplane.Port{Name: "tunnel/site", Kind: overlay.PortSegment, Device: "gg", Tunnel: &t}
	n.Routes[netip.MustParsePrefix("10.7.2.0/24")] = dataplane.Route{Node: "b", Direct: true, Via: n.Members["b"].VTEP}
}

// TestView: what is shown is what the maps hold of the one network, with where it is
// from: what nobody wants there is told from what was learnt.
func TestView(t *testing.T) {
	t.Parallel()
	p := opened(t)
	other, on := someNetwork(overlay.Bridged, 4098)
	if err := p.write(Lower(other, on, nil), newTables()); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[overlay.NetworkKind]string{
		overlay.Bridged: `fdb 00:00:00:00:00:00 wfvx port "" node "b" at 192.0.2.2, registry, age -
fdb 02:00:00:00:00:01 wfweb port "web" node "" at invalid IP, registry, age -
fdb 02:00:00:00:00:03 wfvx port "" node "b" at 192.0.2.2, registry, age -
fdb 02:00:00:00:00:08 wfdocker port "docker" node "" at invalid IP, learnt, age 3m0s
fdb 02:00:00:00:00:09 wfvx port "" node "" at 192.0.2.9, static, age -
neigh 10.7.0.1 02:77:66:00:10:01, registry
neigh 10.7.0.2 02:00:00:00:00:01, registry
neigh 10.7.0.3 02:00:00:00:00:03, registry
neigh fd00:7::1 02:77:66:00:10:01, registry
neigh fe80::77:66ff:fe00:1001 02:77:66:00:10:01, registry`,
		overlay.Routed: `fdb 02:00:00:00:00:01 wfweb port "web" node "" at invalid IP, registry, age -
fdb 02:02:00:00:00:00 wfvx port "" node "b" at 192.0.2.2, registry, age -
neigh 10.7.0.1 02:77:66:00:10:03, registry
neigh 10.7.0.2 02:00:00:00:00:01, registry
neigh fd00:7::1 02:77:66:00:10:03, registry
neigh fe80::77:66ff:fe00:1003 02:77:66:00:10:03, registry
route 10.60.0.0/24 via invalid IP gg node "", registry
route 10.7.0.2/32 via invalid IP wfweb node "", registry
route 10.7.1.0/24 via 192.0.2.2 wfvx node "b", registry
route 10.7.2.0/24 via 192.0.2.2 wfgw node "b", registry
route fd00:7:1::/64 via 192.0.2.2 wfvx node "b", registry`,
	} {
		vni := overlay.VNI(4097)
		if kind == overlay.Routed {
			vni = 4099
		}
		n, on := someNetwork(kind, vni)
		if kind == overlay.Routed {
			withDirect(n)
		}
		if err := p.write(Lower(n, on, nil), newTables()); err != nil {
			t.Fatal(err)
		}
		if kind == overlay.Bridged {
			learn(t, p, vni, overlay.MAC{2, 0, 0, 0, 0, 8}, 3*time.Minute)
			stray := programsStation{}
			stray.Vtep.Word = wordsOf(netip.MustParseAddr("192.0.2.9"))
			if err := p.objects.Stations.Put(stationKey(vni, overlay.MAC{2, 0, 0, 0, 0, 9}), stray); err != nil {
				t.Fatal(err)
			}
		}
		v, err := p.Pass().View(n, on, nameOf)
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(v); got != want {
			t.Errorf("%s network:\n%s\nwant\n%s", kind, got, want)
		}
		if len(v.Remotes) == 0 || v.Remotes[0] != netip.MustParseAddr("192.0.2.2") || v.TTL == 0 || v.SourcePorts[0] == 0 {
			t.Errorf("%s network: remotes %s, TTL %d, source ports %d", kind, v.Remotes, v.TTL, v.SourcePorts)
		}
	}
}

// TestAgeing: a station that was not heard for long is forgotten, one that was is not,
// and what user space has written stays.
func TestAgeing(t *testing.T) {
	t.Parallel()
	p := opened(t)
	n, on := someNetwork(overlay.Bridged, 4097)
	if err := p.write(Lower(n, on, nil), newTables()); err != nil {
		t.Fatal(err)
	}
	old := learn(t, p, n.VNI, overlay.MAC{2, 0, 0, 0, 0, 8}, stationAge+time.Second)
	young := learn(t, p, n.VNI, overlay.MAC{2, 0, 0, 0, 0, 9}, stationAge-time.Minute)
	gone, err := p.aged(stationAge)
	if s, ok := gone[old]; err != nil || len(gone) != 1 || !ok || s.Port != dockerIndex {
		t.Errorf("aged out: %v, %v, want the station that was not heard", gone, err)
	}
	if gone, err := p.expire(young, 0); gone || err != nil {
		t.Errorf("a station that was heard meanwhile is gone: %t, %v", gone, err)
	}
	left := map[programsStationKey]bool{}
	if err := scan(p.objects.Stations, func(k programsStationKey, _ programsStation) { left[k] = true }); err != nil {
		t.Fatal(err)
	}
	for k := range Lower(n, on, nil).stations {
		if !left[k] {
			t.Errorf("station %v is gone", k.Mac)
		}
	}
	if left[old] || !left[young] {
		t.Errorf("stations left: %v", left)
	}
}
