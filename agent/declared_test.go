package agent

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"weft/api/agentapi"
	"weft/overlay"
	"weft/store"
)

func localNetwork(kind overlay.NetworkKind) *overlay.Network {
	return &overlay.Network{Meta: overlay.Meta{Name: "blue"}, Spec: overlay.NetworkSpec{
		VNI: 7, Kind: kind, Subnets: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
	}}
}

func localEndpoint(addresses ...string) *overlay.Endpoint {
	e := &overlay.Endpoint{Meta: overlay.Meta{Network: "blue", Name: "web"}, Spec: overlay.EndpointSpec{
		Port: overlay.PortSingle, Attach: overlay.Attach{Type: overlay.AttachTap, Target: "tap7"},
	}}
	for _, a := range addresses {
		e.Spec.Addresses = append(e.Spec.Addresses, netip.MustParseAddr(a))
	}
	return e
}

func localTunnel(node overlay.NodeName) *overlay.Tunnel {
	return &overlay.Tunnel{Meta: overlay.Meta{Name: "neta"}, Spec: overlay.TunnelSpec{
		Node: node, Mode: overlay.TunnelGRE, Local: netip.MustParseAddr("172.16.17.18"), Remote: "172.16.17.19",
	}}
}

// What a server would choose follows from the names, the same each time, and what the
// endpoints need is there before them.
func TestDeclared(t *testing.T) {
	t.Parallel()
	d := agentapi.Declaration{
		Networks:  []*overlay.Network{localNetwork(overlay.Routed)},
		Endpoints: []*overlay.Endpoint{localEndpoint("10.244.1.5")},
		Tunnels:   []*overlay.Tunnel{localTunnel("")},
	}
	all, err := declared("a", d)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range all {
		keys = append(keys, r.Key().String())
	}
	if want := []string{"network blue", "block blue/10-244-1-0-24", "endpoint blue/web", "tunnel neta"}; !reflect.DeepEqual(keys, want) {
		t.Errorf("declared %v, want %v", keys, want)
	}
	e := all[2].(*overlay.Endpoint).Spec
	if e.Node != "a" || !e.MAC.IsUnicast() || !reflect.DeepEqual(e.Blocks, []string{"10-244-1-0-24"}) {
		t.Errorf("endpoint %+v", e)
	}
	again, err := declared("a", d)
	if err != nil || !reflect.DeepEqual(all, again) {
		t.Errorf("declared again, it is something else: %v", err)
	}
	if d.Tunnels[0].Spec.Node != "" || !d.Endpoints[0].Spec.MAC.IsZero() {
		t.Error("what was given has changed")
	}
}

// A file may call this host by a name of its own.
func TestDeclaredByAnotherName(t *testing.T) {
	t.Parallel()
	d := agentapi.Declaration{Node: "b", Tunnels: []*overlay.Tunnel{localTunnel("b")}}
	all, err := declared("a", d)
	if err != nil || len(all) != 1 || all[0].(*overlay.Tunnel).Spec.Node != "a" {
		t.Errorf("declared %v, %v", all, err)
	}
	d.Node = "c"
	const want = "tunnel neta is for node b, and this is node c"
	if _, err := declared("a", d); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "--") {
		t.Errorf("got %v, want %s and no flag", err, want)
	}
}

func TestDeclaredRefuses(t *testing.T) {
	t.Parallel()
	unnumbered := localNetwork(overlay.Bridged)
	unnumbered.Spec.VNI = 0
	wrong := localTunnel("")
	wrong.Spec.Mode = "teleport"
	blue := []*overlay.Network{localNetwork(overlay.Bridged)}
	for want, d := range map[string]agentapi.Declaration{
		"network blue: give it a VNI that its peers have too":                                      {Networks: []*overlay.Network{unnumbered}},
		"endpoint blue/web: there is no network blue":                                              {Endpoints: []*overlay.Endpoint{localEndpoint("10.244.1.5")}},
		"endpoint blue/web: give it an address in [10.244.0.0/16]":                                 {Networks: blue, Endpoints: []*overlay.Endpoint{localEndpoint()}},
		"endpoint blue/web: address 10.9.0.1 is none of network blue's, which has [10.244.0.0/16]": {Networks: blue, Endpoints: []*overlay.Endpoint{localEndpoint("10.9.0.1")}},
		"endpoint blue/web: address 10.244.0.1 is network blue's gateway":                          {Networks: blue, Endpoints: []*overlay.Endpoint{localEndpoint("10.244.0.1")}},
		"tunnel neta is for node b, and this is node a":                                            {Tunnels: []*overlay.Tunnel{localTunnel("b")}},
		`tunnel neta: mode "teleport": want vxlan, geneve, gre, gretap, ipip, sit or udp`:          {Tunnels: []*overlay.Tunnel{wrong}},
	} {
		if _, err := declared("a", d); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A local host's store has what is declared, and nothing else, after each declaration.
func TestBecome(t *testing.T) {
	t.Parallel()
	o := Options{Node: "a", StateDir: t.TempDir(), Local: true}
	u := Underlay{Addresses: []netip.Prefix{netip.MustParsePrefix("172.16.17.18/24")}, MTU: 1500}
	one := agentapi.Declaration{Tunnels: []*overlay.Tunnel{localTunnel("")}}
	if err := SaveDeclaration(o.StateDir, one); err != nil {
		t.Fatal(err)
	}
	l, err := openLocal(t.Context(), o, u)
	if err != nil {
		t.Fatal(err)
	}
	has := func() (keys []string) {
		for k := range l.revisions() {
			keys = append(keys, k.String())
		}
		return keys
	}
	if got := has(); !reflect.DeepEqual(got, []string{"tunnel neta"}) {
		t.Errorf("it has %v", got)
	}
	two := agentapi.Declaration{
		Networks: []*overlay.Network{localNetwork(overlay.Routed)}, Endpoints: []*overlay.Endpoint{localEndpoint("10.244.1.5")},
	}
	if err := l.become(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if got := has(); len(got) != 3 {
		t.Errorf("it has %v, want network, block and endpoint", got)
	}
	// Two that exchange what only one may hold.
	pair := func(first, second string) agentapi.Declaration {
		a, b := localTunnel(""), localTunnel("")
		b.Name, b.Spec.Remote = "netb", "172.16.17.20"
		a.Spec.Device, b.Spec.Device = first, second
		return agentapi.Declaration{Tunnels: []*overlay.Tunnel{a, b}}
	}
	for _, d := range []agentapi.Declaration{pair("one", "two"), pair("two", "one")} {
		if err := l.become(t.Context(), d); err != nil || len(has()) != 2 {
			t.Errorf("it has %v, %v", has(), err)
		}
	}
	// So may networks, with what is in them.
	swap := func(blue, green overlay.VNI) agentapi.Declaration {
		a, b, e := localNetwork(overlay.Bridged), localNetwork(overlay.Bridged), localEndpoint("10.244.1.5")
		b.Name, a.Spec.VNI, b.Spec.VNI = "green", blue, green
		return agentapi.Declaration{Networks: []*overlay.Network{a, b}, Endpoints: []*overlay.Endpoint{e}}
	}
	for _, d := range []agentapi.Declaration{swap(7, 8), swap(8, 7)} {
		if err := l.become(t.Context(), d); err != nil || len(has()) != 3 {
			t.Errorf("it has %v, %v", has(), err)
		}
	}
	// Also what was learnt since goes with its network.
	station := localEndpoint("10.244.1.9")
	station.Kind, station.Name, station.Spec.Node, station.Spec.Port, station.Spec.Attach = overlay.KindEndpoint, "learnt", "a", overlay.PortStation, overlay.Attach{}
	station.Spec.MAC, station.Spec.Via = overlay.MAC{2, 0, 0, 0, 0, 9}, "web"
	if _, _, err := l.Update(t.Context(), store.Change{Put: station, Expect: store.Any}); err != nil {
		t.Fatal(err)
	}
	if err := l.become(t.Context(), agentapi.Declaration{}); err != nil || len(has()) != 0 {
		t.Errorf("it has %v, %v", has(), err)
	}
	if err := ForgetDeclaration(o.StateDir); err != nil {
		t.Fatal(err)
	}
	if _, err := openLocal(t.Context(), o, u); err == nil || !strings.HasPrefix(err.Error(), "this host follows no file") {
		t.Errorf("nothing is declared: %v", err)
	}
}

// What cannot be is said before anything changes.
func TestCheck(t *testing.T) {
	t.Parallel()
	o := Options{Node: "a", Local: true}
	u := Underlay{Addresses: []netip.Prefix{netip.MustParsePrefix("172.16.17.18/24")}, MTU: 1500}
	same := localTunnel("")
	same.Name, same.Spec.Device = "netb", "neta"
	far := localTunnel("")
	far.Spec.Local, far.Spec.Remote = netip.Addr{}, "2001:db8::1"
	for want, tunnels := range map[string][]*overlay.Tunnel{
		"tunnel netb: ":                          {localTunnel(""), same},
		"tunnel neta: node a has no v6 underlay": {far},
	} {
		if _, err := o.check(t.Context(), u, agentapi.Declaration{Tunnels: tunnels}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := o.check(t.Context(), u, agentapi.Declaration{Tunnels: []*overlay.Tunnel{localTunnel("a")}}); err != nil {
		t.Error(err)
	}
}
