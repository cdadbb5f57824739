package api

import (
	"errors"
	"net/netip"
	"testing"

	"weft/overlay"
	"weft/store"
)

// tunnel is one of node a; without a network it stands alone.
func tunnel(network, name string, mode overlay.TunnelMode, change func(*overlay.TunnelSpec)) *overlay.Tunnel {
	t := &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.TunnelSpec{Node: "a", Mode: mode, Remote: "203.0.113.9"},
	}
	if change != nil {
		change(&t.Spec)
	}
	return t
}

func ways(prefixes ...string) []overlay.TunnelRoute {
	var all []overlay.TunnelRoute
	for _, p := range prefixes {
		all = append(all, overlay.TunnelRoute{Prefix: netip.MustParsePrefix(p)})
	}
	return all
}

// aNode is node a with tunnels that its planes can do.
func aNode(kernel ...string) *overlay.Node {
	n := node("a", 1)
	n.Spec.Planes = []overlay.PlaneName{overlay.PlaneEBPF, overlay.PlaneKernel}
	n.Spec.TunnelModes = map[overlay.PlaneName][]string{overlay.PlaneEBPF: {"gre", "vxlan"}, overlay.PlaneKernel: kernel}
	return n
}

// TestTunnels: a tunnel is got, listed by its network and node, changed and deleted by its key,
// which may be of no network.
func TestTunnels(t *testing.T) {
	t.Parallel()
	_, admin := cluster(t)
	alone := put(t, admin, tunnel("", "neta", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { s.Routes = ways("10.0.2.0/24") }))
	attached := put(t, admin, tunnel("green", "neta", overlay.TunnelIPIP, func(s *overlay.TunnelSpec) { s.Device, s.Node = "site", "b" }))
	if alone.Spec.Device != "neta" || alone.Spec.Plane != overlay.PlaneAuto || alone.Generation != 1 {
		t.Errorf("stored as %+v", alone)
	}
	if again := put(t, admin, tunnel("", "neta", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { s.Routes = ways("10.0.2.0/24") })); again.Revision != alone.Revision {
		t.Errorf("written again as it was asked for, it changed to %+v", again)
	}
	for name, tt := range map[string]struct {
		network overlay.NetworkName
		node    overlay.NodeName
		want    []overlay.Key
	}{
		"all":         {"", "", []overlay.Key{alone.Key(), attached.Key()}},
		"of green":    {"green", "", []overlay.Key{attached.Key()}},
		"of node a":   {"", "a", []overlay.Key{alone.Key()}},
		"of neither":  {"green", "a", nil},
		"of a bridge": {"blue", "", nil},
	} {
		list, _, err := admin.List(t.Context(), overlay.KindTunnel, tt.network, tt.node)
		if err != nil || len(list) != len(tt.want) {
			t.Errorf("%s: %v, %v", name, list, err)
			continue
		}
		for i, k := range tt.want {
			if list[i].Key() != k {
				t.Errorf("%s: %s, want %s", name, list[i].Key(), k)
			}
		}
	}
	if err := admin.Remove(t.Context(), alone.Key(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Get(t.Context(), alone.Key()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed, it is %v", err)
	}
	if got, err := admin.Get(t.Context(), attached.Key()); err != nil || got.Header().Revision != attached.Revision {
		t.Errorf("the other of its name is %v, %v", got, err)
	}
}

func TestTunnelRefusals(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	put(t, admin, aNode("vxlan", "gretap"))
	put(t, admin, endpoint("blue", "web", "a"))
	put(t, admin, tunnel("", "first", overlay.TunnelGRE, func(s *overlay.TunnelSpec) {
		s.Local, s.Routes = netip.MustParseAddr("192.0.2.1"), ways("10.0.2.0/24")
	}))
	put(t, admin, tunnel("green", "site", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { s.Remote, s.Routes = "203.0.113.10", ways("10.20.0.0/16") }))
	put(t, admin, tunnel("", "vx", overlay.TunnelVXLAN, func(s *overlay.TunnelSpec) { s.VNI = 7 }))
	far := func(s *overlay.TunnelSpec) { s.Remote = "203.0.113.11" }
	with := func(changes ...func(*overlay.TunnelSpec)) func(*overlay.TunnelSpec) {
		return func(s *overlay.TunnelSpec) {
			for _, f := range append([]func(*overlay.TunnelSpec){far}, changes...) {
				f(s)
			}
		}
	}
	leads := func(prefixes ...string) func(*overlay.TunnelSpec) {
		return with(func(s *overlay.TunnelSpec) { s.Routes = ways(prefixes...) })
	}
	vni := func(v overlay.VNI, port uint16) func(*overlay.TunnelSpec) {
		return with(func(s *overlay.TunnelSpec) { s.VNI, s.Port = v, port })
	}
	for _, tt := range []struct {
		name string
		t    *overlay.Tunnel
		code Code
		want string
	}{
		{"key on ipip", tunnel("", "x", overlay.TunnelIPIP, with(func(s *overlay.TunnelSpec) { k := overlay.GREKey(1); s.InKey = &k })), CodeInvalid, "mode ipip has no key"},
		{"no node", tunnel("", "x", overlay.TunnelGRE, with(func(s *overlay.TunnelSpec) { s.Node = "c" })), CodeMissing, "tunnel x: there is no node c"},
		{"no network", tunnel("nowhere", "x", overlay.TunnelGRE, far), CodeMissing, "tunnel nowhere/x: there is no network nowhere"},
		{"no plane", tunnel("", "x", overlay.TunnelGeneve, vni(9, 0)), CodeInvalid, "tunnel x: node a has no plane for mode geneve:"},
		{"no plane over IPv6", tunnel("", "y", overlay.TunnelGRE, with(func(s *overlay.TunnelSpec) {
			s.Local, s.Remote = netip.MustParseAddr("2001:db8::1"), "2001:db8::9"
		})), CodeInvalid, "plane kernel: this kernel has no gre device over IPv6"},
		{"no underlay address", tunnel("", "x", overlay.TunnelGRE, with(func(s *overlay.TunnelSpec) { s.Remote = "2001:db8::9" })), CodeInvalid,
			"tunnel x: node a has no v6 underlay address to reach 2001:db8::9 from; give the address to send from (--local)"},
		{"frames on a routed network", tunnel("green", "x", overlay.TunnelGRETAP, far), CodeInvalid, "tunnel green/x: mode gretap carries frames, and network green is routed; want mode gre, ipip, sit or udp"},
		{"packets on a bridged network", tunnel("blue", "x", overlay.TunnelGRE, far), CodeInvalid, "tunnel blue/x: mode gre carries packets, and network blue is bridged; want mode vxlan, geneve or gretap"},
		{"into a subnet", tunnel("green", "x", overlay.TunnelGRE, leads("10.8.3.0/24")), CodeInvalid, "tunnel green/x: route 10.8.3.0/24 overlaps subnet 10.8.0.0/20 of network green"},
		{"another's route", tunnel("green", "x", overlay.TunnelGRE, leads("10.20.0.0/16")), CodeClaimed, "tunnel green/x: route 10.20.0.0/16 is taken by tunnel green/site"},
		{"a part of another's route", tunnel("green", "x", overlay.TunnelGRE, leads("10.20.4.0/24")), CodeClaimed,
			"tunnel green/x: route 10.20.4.0/24 (in part, as 10.20.0.0/16) is taken by tunnel green/site"},
		{"another's route on the node", tunnel("", "x", overlay.TunnelGRE, leads("10.0.2.0/24")), CodeClaimed, "tunnel x: route 10.0.2.0/24 on node a is taken by tunnel first; give one of the two another metric"},
		{"the same peer", tunnel("", "x", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { s.Local = netip.MustParseAddr("192.0.2.1") }), CodeClaimed,
			"tunnel x: gre from 192.0.2.1 to 203.0.113.9 on node a is taken by tunnel first; want something to tell their packets apart: another key to receive, or another address"},
		{"the same peer, by default", tunnel("", "y", overlay.TunnelGRE, nil), CodeClaimed, "tunnel y: gre from 192.0.2.1 to 203.0.113.9 on node a is taken by tunnel first"},
		{"the same VNI", tunnel("", "x", overlay.TunnelVXLAN, vni(7, 0)), CodeClaimed, "tunnel x: vxlan VNI 7 on UDP port 4789 on node a is taken by tunnel vx; want something to tell their packets apart: another VNI or port"},
		{"a network's VNI", tunnel("", "x", overlay.TunnelVXLAN, vni(4097, 0)), CodeClaimed, "tunnel x: vxlan VNI 4097 on UDP port 4789 on node a is taken by network blue; ask for another VNI or port"},
		{"the VNI of its own network", tunnel("blue", "x", overlay.TunnelVXLAN, vni(4097, 4789)), CodeClaimed, "is taken by network blue"},
		{"the same device", tunnel("", "x", overlay.TunnelGRE, with(func(s *overlay.TunnelSpec) { s.Device = "first" })), CodeClaimed,
			"tunnel x: interface first on node a is taken by tunnel first; give it an interface of another name (--device)"},
	} {
		t.Log(tt.name)
		w.refusal(t, try(t, admin, tt.t), tt.code, tt.want)
		if _, err := admin.Get(t.Context(), tt.t.Key()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s was made all the same: %v", tt.t.Key(), err)
		}
	}
	// What differs enough is not refused.
	for _, r := range []*overlay.Tunnel{
		tunnel("", "key", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { k := overlay.GREKey(1); s.InKey = &k }),
		tunnel("", "metric", overlay.TunnelGRE, with(func(s *overlay.TunnelSpec) {
			s.Routes = []overlay.TunnelRoute{{Prefix: netip.MustParsePrefix("10.0.2.0/24"), Metric: 20}}
		})),
		tunnel("", "port", overlay.TunnelVXLAN, vni(4097, 8472)),
		tunnel("", "absent", overlay.TunnelVXLAN, with(vni(4098, 0), func(s *overlay.TunnelSpec) { s.Node = "b" })), // where green is not
		tunnel("blue", "frames", overlay.TunnelGRETAP, far),
		tunnel("green", "beside", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { s.Remote, s.Routes = "203.0.113.12", ways("10.21.0.0/16") }),
	} {
		put(t, admin, r)
	}
}

// TestTunnelsInTheWay: what a network or node becomes, or loses, is held against its tunnels.
func TestTunnelsInTheWay(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	site := put(t, admin, tunnel("green", "site", overlay.TunnelGRE, func(s *overlay.TunnelSpec) { s.Routes = ways("10.8.64.0/24") }))
	w.refusal(t, try(t, admin, network("green", overlay.Routed, "10.8.0.0/16", "fd08::/48")), CodeInvalid, "tunnel green/site: route 10.8.64.0/24 overlaps subnet 10.8.0.0/16 of network green")
	put(t, admin, tunnel("", "vx", overlay.TunnelVXLAN, func(s *overlay.TunnelSpec) { s.VNI = 4097 }))
	w.refusal(t, try(t, admin, endpoint("blue", "web", "a")), CodeClaimed,
		"network blue: vxlan VNI 4097 on UDP port 4789 on node a is taken by tunnel vx; remove that, or have it use another VNI or port")
	put(t, admin, endpoint("blue", "web", "b"))
	next := put(t, admin, tunnel("", "next", overlay.TunnelVXLAN, func(s *overlay.TunnelSpec) { s.VNI = 4099 }))
	if n := put(t, admin, network("red", "", "10.9.0.0/24")); n.Spec.VNI != 4100 {
		t.Errorf("beside %s, VNI %s is chosen for a network", next.Key(), n.Spec.VNI)
	}

	for _, k := range []overlay.Key{{Kind: overlay.KindNetwork, Name: "green"}, {Kind: overlay.KindNode, Name: "a"}} {
		var used *store.InUseError
		if err := admin.Remove(t.Context(), k, false); !errors.As(err, &used) || used.By.Kind != overlay.KindTunnel {
			t.Errorf("remove %s: %v", k, err)
		}
	}
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNode, Name: "a"}, true); err != nil {
		t.Fatal(err)
	}
	if left, _, err := admin.List(t.Context(), overlay.KindTunnel, "", ""); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: string(site.Network)}, false); err != nil {
		t.Error(err)
	}
}

// TestTunnelRoles: tunnels are declared by people. A node that could make one could send a
// network's packets wherever it likes.
func TestTunnelRoles(t *testing.T) {
	t.Parallel()
	w, admin := cluster(t)
	h := w.hosts[0]
	a, reader := w.client(t, overlay.RoleNode, "a", h), w.client(t, overlay.RoleReader, "eve", h)
	mine := put(t, admin, tunnel("", "neta", overlay.TunnelGRE, nil))
	site := put(t, admin, tunnel("green", "site", overlay.TunnelIPIP, nil))
	w.refusal(t, try(t, a, tunnel("", "x", overlay.TunnelGRE, nil)), CodeForbidden, "node a may not write tunnel x; log in as an administrator")
	w.refusal(t, a.Remove(t.Context(), mine.Key(), false), CodeForbidden, "node a may not delete tunnel neta")
	w.refusal(t, try(t, reader, tunnel("green", "x", overlay.TunnelGRE, nil)), CodeForbidden, "reader eve may not write tunnel green/x")
	w.refusal(t, reader.Remove(t.Context(), site.Key(), false), CodeForbidden, "reader eve may not delete tunnel green/site")
	if got, err := reader.Get(t.Context(), mine.Key()); err != nil || got.Header().Revision != mine.Revision {
		t.Errorf("reader gets %v, %v", got, err)
	}
}
