package kernel

import (
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/overlay"
)

// programmedNet is a network on the eBPF plane, with a port of each kind.
func programmedNet(local string) dataplane.Network {
	n := dataplane.Network{Ports: map[overlay.EndpointName]dataplane.Port{}}
	n.Name, n.VNI, n.Kind, n.Plane, n.Encapsulation = "blue", 4097, overlay.Bridged, overlay.PlaneEBPF, overlay.EncapVXLAN
	n.Local, n.Settings.Port, n.MTU, n.UnderlayMTU = netip.MustParseAddr(local), overlay.DefaultVXLANPort, 1450, 1500
	for name, attach := range map[overlay.EndpointName]overlay.Attach{
		"web": {Type: overlay.AttachNetns, Target: "/run/netns/web"}, "vm": {Type: overlay.AttachTap, Target: "vm0"},
		"veth": {Type: overlay.AttachVeth, Target: "veth0"}, "docker": {Type: overlay.AttachBridge, Target: "docker0"},
	} {
		n.Ports[name] = dataplane.Port{Name: name, Kind: overlay.PortSingle, Device: "wf" + string(name), Attach: attach}
	}
	return n
}

// The host itself says nothing on the links of the eBPF plane that end on it, and
// forwards for the one that programs ask its routes for.
func TestProgrammedHostIsSilent(t *testing.T) {
	t.Parallel()
	for local, forwarding := range map[string]string{
		"192.0.2.1": "net/ipv4/conf/wfgw001001/forwarding", "2001:db8::1": "net/ipv6/conf/wfgw001001/forwarding",
	} {
		o, seen := LowerNetwork(programmedNet(local), "/run/netns"), 0
		for id, l := range o.Links {
			if id.NS != Host || l.Lent {
				continue
			}
			seen++
			if !l.NoIPv6 || !l.NoLinkLocal {
				t.Errorf("%s over %s: %+v: want no IPv6", id.Name, local, l)
			}
		}
		if want := 7; seen != want { // wfgw, wfvx, four ports, and docker's other end
			t.Errorf("over %s: %d links on the host, want %d", local, seen, want)
		}
		on := map[SysctlID]string{}
		for id, value := range o.Sysctls {
			if id.NS == Host {
				on[id] = value
			}
		}
		if len(on) != 1 || on[SysctlID{Host, forwarding}] != "1" {
			t.Errorf("over %s: settings of the host %v, want %s", local, on, forwarding)
		}
	}
}

// The commands that explain prints are not what is there of such a network, which is said
// first; nothing else is.
func TestExplainProgrammed(t *testing.T) {
	t.Parallel()
	explained := func(p overlay.PlaneName) []string {
		return Explain(node(overlay.Bridged, overlay.V4, func(n *dataplane.Network) { n.Plane = p }), "/run/netns", nil)
	}
	byHand, got := explained(overlay.PlaneKernel), explained(overlay.PlaneEBPF)
	const comment = "# network blue is on plane ebpf here: programs do what these commands have the kernel do"
	if len(got) == 0 || got[0] != comment || !slices.Equal(got[1:], byHand) {
		t.Errorf("got\n%s\nwant the comment, and\n%s", lines(got), lines(byHand))
	}
}

// What programs lack is one line of the plan.
func TestPlanOfPrograms(t *testing.T) {
	t.Parallel()
	want := LowerNetwork(programmedNet("192.0.2.1"), "/run/netns")
	have := LowerNetwork(programmedNet("192.0.2.1"), "/run/netns")
	if ops := Diff(want, have); len(ops) > 0 {
		t.Errorf("as it is: %s", ops)
	}
	have.Programs["blue"] = summary([]string{"no program on device 7 (port)", "2 entries of the map stations"})
	ops := Diff(want, have)
	const line = "bpf programs and maps of network blue: no program on device 7 (port); and 1 more"
	if len(ops) != 1 || ops[0].String() != line {
		t.Errorf("got %s, want %s", ops, line)
	}
	if wanted, present := want.Len(), want.matching(have); present != wanted-1 {
		t.Errorf("%d of %d present, want all but the programs", present, wanted)
	}
}

// A network of the other plane is told from one that somebody has damaged.
func TestOtherPlane(t *testing.T) {
	t.Parallel()
	on := func(kind overlay.NetworkKind, p overlay.PlaneName) Objects {
		return Lower(node(kind, overlay.V4, func(n *dataplane.Network) { n.Plane = p }), "/run/netns")
	}
	ns := DomainNS("/run/netns", "blue")
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		kernel, programs := on(kind, overlay.PlaneKernel), on(kind, overlay.PlaneEBPF)
		damaged := on(kind, overlay.PlaneEBPF)
		delete(damaged.Links, LinkID{ns, gatewayName})
		for _, tt := range []struct {
			what       string
			want, have Objects
			other      bool
		}{
			{"as it is", programs, programs, false}, {"as it is", kernel, kernel, false}, {"new", programs, NewObjects(), false},
			{"without its gateway", programs, damaged, false}, {"not wanted", NewObjects(), programs, false},
			{"from kernel", programs, kernel, true}, {"to kernel", kernel, programs, true},
		} {
			if other := tt.want.otherPlane(tt.have, ns); other != tt.other {
				t.Errorf("%s, %s: of the other plane: %t", kind, tt.what, other)
			}
		}
	}
}

// Links are looked for where they matter: most changes do not wait for that.
func TestOfLinks(t *testing.T) {
	t.Parallel()
	n := programmedNet("192.0.2.1")
	moves := dataplane.Changes[overlay.MAC, overlay.NodeName]{Set: map[overlay.MAC]overlay.NodeName{{2}: "b"}}
	for what, tt := range map[string]struct {
		d    dataplane.NetworkDelta
		want bool
	}{
		"nothing":    {dataplane.NetworkDelta{}, false},
		"a station":  {dataplane.NetworkDelta{Remotes: moves}, false},
		"a neighbor": {dataplane.NetworkDelta{Neighbors: dataplane.Changes[netip.Addr, overlay.MAC]{Gone: map[netip.Addr]struct{}{n.Local: {}}}}, false},
		"a route":    {dataplane.NetworkDelta{Routes: dataplane.Changes[netip.Prefix, dataplane.Route]{Set: map[netip.Prefix]dataplane.Route{{}: {Node: "b"}}}}, false},
		"a port":     {dataplane.NetworkDelta{Remotes: moves, Ports: dataplane.Changes[overlay.EndpointName, dataplane.Port]{Set: n.Ports}}, true},
		"a member":   {dataplane.NetworkDelta{Members: dataplane.Changes[overlay.NodeName, dataplane.Member]{Gone: map[overlay.NodeName]struct{}{"b": {}}}}, true},
		"settings":   {dataplane.NetworkDelta{Settings: &n.Settings}, true},
	} {
		if got := OfLinks(tt.d); got != tt.want {
			t.Errorf("%s: %t, want %t", what, got, tt.want)
		}
	}
}
