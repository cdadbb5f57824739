package overlay

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

// vxlanTunnel stands alone and has all that such a tunnel can have.
func vxlanTunnel(m Meta) *Tunnel {
	return &Tunnel{Meta: m, Spec: TunnelSpec{
		Node: "a", Device: "vx0", Mode: TunnelVXLAN, Local: netip.MustParseAddr("192.0.2.1"), Remote: "239.1.1.1", Underlay: "eth0",
		VNI: 7, Port: 4790, SourcePorts: &PortRange{32768, 60999}, TTL: TTL{Hops: 4}, TOS: TOS{Fixed: true}, NoPMTUDiscovery: true,
		UDPChecksum: ptr(true), Learning: ptr(false), AgeingSeconds: 60, Proxy: true,
		FDB:       []TunnelStation{{VTEP: netip.MustParseAddr("192.0.2.9")}, {MAC: MAC{2, 0, 0, 0, 0, 9}, VTEP: netip.MustParseAddr("192.0.2.9")}},
		Neighbors: []TunnelNeighbor{{netip.MustParseAddr("10.1.1.9"), MAC{2, 0, 0, 0, 0, 9}}},
		MAC:       MAC{2, 0, 0, 0, 0, 7}, MTU: 1400, Addresses: prefixes("10.1.1.1/24"),
		Routes:    []TunnelRoute{{Prefix: netip.MustParsePrefix("10.1.8.0/24"), Via: netip.MustParseAddr("10.1.1.2"), Metric: 20}},
		KeepAlive: &KeepAlive{Target: netip.MustParseAddr("10.1.1.2"), IntervalMilliseconds: 200, Misses: 5},
		Plane:     PlaneKernel,
	}}
}

// greTunnel is attached to a routed network.
func greTunnel(m Meta) *Tunnel {
	return &Tunnel{Meta: m, Spec: TunnelSpec{
		Node: "a", Mode: TunnelGRE, Local: netip.MustParseAddr("172.16.17.18"), Remote: "peer.example", TTL: TTL{Hops: 255},
		InKey: ptr(GREKey(0x111111)), OutKey: ptr(GREKey(0x222222)),
		InChecksum: true, OutChecksum: true, InSequence: true, OutSequence: true,
		Routes: []TunnelRoute{{Prefix: netip.MustParsePrefix("10.0.2.0/24")}, {Prefix: netip.MustParsePrefix("fd02::/64")}},
	}}
}

// tunnel is one of a mode that stands alone, with as little as it can have.
func tunnel(mode TunnelMode, change func(*TunnelSpec)) *Tunnel {
	t := &Tunnel{Meta: Meta{Kind: KindTunnel, Name: "neta"}, Spec: TunnelSpec{
		Node: "a", Mode: mode, Local: netip.MustParseAddr("172.16.17.18"), Remote: "172.16.17.19",
	}}
	if mode.HasVNI() {
		t.Spec.VNI = 100
	}
	if change != nil {
		change(&t.Spec)
	}
	return t
}

// TestFullTunnels: what neither of the two has goes untested in TestJSON.
func TestFullTunnels(t *testing.T) {
	t.Parallel()
	one, other := reflect.ValueOf(vxlanTunnel(Meta{}).Spec), reflect.ValueOf(greTunnel(Meta{}).Spec)
	for i := range one.NumField() {
		if one.Field(i).IsZero() && other.Field(i).IsZero() {
			t.Errorf("%s is not set", one.Type().Field(i).Name)
		}
	}
}

func TestTunnelModes(t *testing.T) {
	t.Parallel()
	type facts struct {
		ethernet, gre, vni, v4, v6 bool
		port                       uint16
	}
	want := map[TunnelMode]facts{
		TunnelVXLAN:  {true, false, true, true, true, 4789},
		TunnelGeneve: {true, false, true, true, true, 6081},
		TunnelGRE:    {false, true, false, true, true, 0},
		TunnelGRETAP: {true, true, false, true, true, 0},
		TunnelIPIP:   {false, false, false, true, false, 0},
		TunnelSIT:    {false, false, false, false, true, 0},
		TunnelUDP:    {false, false, false, true, true, 8285},
	}
	for _, m := range TunnelModes() {
		got := facts{m.Ethernet(), m.IsGRE(), m.HasVNI(), m.Carries(V4), m.Carries(V6), m.DefaultPort()}
		if got != want[m] {
			t.Errorf("%s: %+v, want %+v", m, got, want[m])
		}
		if m.Over(V4) != string(m) || m.Over(V6) != string(m)+"6" {
			t.Errorf("%s over v4 is %s, over v6 %s", m, m.Over(V4), m.Over(V6))
		}
		check(t, tunnel(m, nil).Validate(), "")
	}
	if len(TunnelModes()) != len(want) {
		t.Errorf("modes: %v", TunnelModes())
	}
}

func TestTunnelComplete(t *testing.T) {
	t.Parallel()
	asked := TunnelSpec{Mode: TunnelVXLAN, KeepAlive: &KeepAlive{Target: netip.MustParseAddr("10.1.1.2")}}
	got := asked.Complete("neta")
	want := TunnelSpec{
		Mode: TunnelVXLAN, Device: "neta", Port: 4789, Plane: PlaneAuto, AgeingSeconds: 300, Learning: ptr(true),
		KeepAlive: &KeepAlive{Target: netip.MustParseAddr("10.1.1.2"), IntervalMilliseconds: 500, Misses: 3},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Complete = %+v\nwant %+v", got, want)
	}
	if asked.KeepAlive.Misses != 0 {
		t.Error("Complete changed what it was given")
	}
	if again := got.Complete("other"); !reflect.DeepEqual(again, want) {
		t.Errorf("Complete of a complete one = %+v", again)
	}
	if got := (TunnelSpec{Mode: TunnelGRE}).Complete("neta"); !reflect.DeepEqual(got, TunnelSpec{Mode: TunnelGRE, Device: "neta", Plane: PlaneAuto}) {
		t.Errorf("Complete of gre = %+v", got)
	}
	if k := (KeepAlive{}); k.Interval() != 500*time.Millisecond {
		t.Errorf("interval %s", k.Interval())
	}
}

func TestTunnelRemotes(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]struct{ address, group bool }{
		"192.0.2.9": {true, false}, "2001:db8::9": {true, false}, "239.1.1.1": {true, true}, "ff05::1": {true, true}, "peer.example": {false, false},
	} {
		s := TunnelSpec{Remote: remote}
		if _, ok := s.RemoteAddr(); ok != want.address || s.Group() != want.group {
			t.Errorf("%s: address %v, group %v", remote, ok, s.Group())
		}
	}
}

// Tunnels whose packets a node could not tell apart exclude each other, and no others.
func TestTunnelsAreClaimed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what       string
		mode       TunnelMode
		change     func(*TunnelSpec)
		apart      bool
		otherwise  TunnelMode
		otherwises func(*TunnelSpec)
	}{
		{"the same", TunnelGRE, nil, false, TunnelGRE, nil},
		{"another mode", TunnelGRE, nil, true, TunnelGRETAP, nil},
		{"another remote", TunnelIPIP, nil, true, TunnelIPIP, func(s *TunnelSpec) { s.Remote = "172.16.17.20" }},
		{"another local", TunnelSIT, nil, true, TunnelSIT, func(s *TunnelSpec) { s.Local = netip.MustParseAddr("172.16.17.20") }},
		{"any local", TunnelSIT, nil, true, TunnelSIT, func(s *TunnelSpec) { s.Local = netip.Addr{} }},
		{"another node", TunnelGRE, nil, true, TunnelGRE, func(s *TunnelSpec) { s.Node = "b" }},
		{"a key", TunnelGRE, nil, true, TunnelGRE, func(s *TunnelSpec) { s.InKey = ptr(GREKey(0)) }},
		{"another key sent", TunnelGRE, nil, false, TunnelGRE, func(s *TunnelSpec) { s.OutKey = ptr(GREKey(0)) }},
		{"another VNI", TunnelVXLAN, nil, true, TunnelVXLAN, func(s *TunnelSpec) { s.VNI = 101 }},
		{"another remote of a VNI", TunnelVXLAN, nil, false, TunnelVXLAN, func(s *TunnelSpec) { s.Remote = "172.16.17.20" }},
		{"another port", TunnelGeneve, nil, true, TunnelGeneve, func(s *TunnelSpec) { s.Port = 6082 }},
		{"the same port, said", TunnelGeneve, nil, false, TunnelGeneve, func(s *TunnelSpec) { s.Port = 6081 }},
		{"another port of udp", TunnelUDP, nil, true, TunnelUDP, func(s *TunnelSpec) { s.Port = 8286 }},
		{"another remote of udp", TunnelUDP, nil, true, TunnelUDP, func(s *TunnelSpec) { s.Remote = "172.16.17.20" }},
	} {
		one, other := tunnel(tt.mode, tt.change), tunnel(tt.otherwise, tt.otherwises)
		other.Name = "netb"
		a, b := one.Claims(), other.Claims()
		if apart := a[1] != b[1]; apart != tt.apart || a[0] == b[0] {
			t.Errorf("%s: %q and %q", tt.what, a, b)
		}
	}
	other := tunnel(TunnelGRE, func(s *TunnelSpec) { s.Device, s.Remote = "neta", "172.16.17.20" })
	other.Name = "netb"
	if other.Claims()[0] != tunnel(TunnelGRE, nil).Claims()[0] {
		t.Error("two tunnels have one device")
	}
}

func TestTunnelValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ what, in, out, err string }{
		{"ttl", "inherit", "inherit", ""},
		{"ttl", "255", "255", ""},
		{"ttl", "", "", ""},
		{"ttl", "0", "", `ttl "0": want 1 to 255, or inherit`},
		{"ttl", "256", "", `ttl "256": want 1 to 255, or inherit`},
		{"tos", "inherit", "", ""},
		{"tos", "0", "0x00", ""},
		{"tos", "16", "0x10", ""},
		{"tos", "0xff", "0xff", ""},
		{"tos", "256", "", `tos "256": want 0 to 255 (0xff), or inherit`},
		{"key", "0x111111", "0.17.17.17", ""},
		{"key", "1118481", "0.17.17.17", ""},
		{"key", "0.17.17.17", "0.17.17.17", ""},
		{"key", "4294967295", "255.255.255.255", ""},
		{"key", "4294967296", "", `key "4294967296": want 0 to 4294967295, such as 0x111111, or four numbers in dots`},
		{"key", "", "", `key "": want 0 to 4294967295, such as 0x111111, or four numbers in dots`},
		{"ports", "32768-60999", "32768-60999", ""},
		{"ports", "7-7", "7-7", ""},
		{"ports", "7", "", `source ports "7": want a range such as 32768-60999`},
		{"ports", "8-7", "", `source ports "8-7": want a range such as 32768-60999`},
		{"ports", "0-7", "", `source ports "0-7": want a range such as 32768-60999`},
		{"ports", "1-65536", "", `source ports "1-65536": want a range such as 32768-60999`},
	} {
		out, err := parsed(tt.what, tt.in)
		check(t, err, tt.err)
		if out != tt.out {
			t.Errorf("%s %q came out as %q, want %q", tt.what, tt.in, out, tt.out)
		}
	}
}

// parsed is what becomes of a word when it is read and written.
func parsed(what, in string) (string, error) {
	switch what {
	case "ttl":
		v, err := ParseTTL(in)
		return v.String(), err
	case "tos":
		v, err := ParseTOS(in)
		return v.String(), err
	case "key":
		v, err := ParseGREKey(in)
		if err != nil {
			return "", err
		}
		return v.String(), nil
	}
	v, err := ParsePortRange(in)
	if err != nil {
		return "", err
	}
	return v.String(), nil
}

// TestTunnelValuesInJSON: a manifest may have numbers where a word is written.
func TestTunnelValuesInJSON(t *testing.T) {
	t.Parallel()
	var ttl TTL
	var tos TOS
	var key GREKey
	for in, into := range map[string]interface{ UnmarshalJSON([]byte) error }{
		`255`: &ttl, `16`: &tos, `1118481`: &key,
	} {
		check(t, into.UnmarshalJSON([]byte(in)), "")
	}
	if ttl.Hops != 255 || tos != (TOS{true, 16}) || key != 0x111111 {
		t.Errorf("%v %v %v", ttl, tos, key)
	}
	for in, into := range map[string]interface{ UnmarshalText([]byte) error }{"inherit": &ttl, "0xff": &tos, "0.0.0.9": &key} {
		check(t, into.UnmarshalText([]byte(in)), "")
	}
	if !ttl.Inherit || tos != (TOS{true, 255}) || key != 9 {
		t.Errorf("%v %v %v", ttl, tos, key)
	}
	check(t, ttl.UnmarshalJSON([]byte(`"long"`)), `ttl "long": want 1 to 255, or inherit`)
	check(t, tos.UnmarshalJSON([]byte(`-1`)), `tos "-1": want 0 to 255 (0xff), or inherit`)
	check(t, key.UnmarshalJSON([]byte(`"0x"`)), `key "0x": want 0 to 4294967295, such as 0x111111, or four numbers in dots`)
}

func TestTunnelNeeds(t *testing.T) {
	t.Parallel()
	attached := tunnel(TunnelGRE, nil)
	attached.Network = "blue"
	if got := attached.Needs(); !slices.Equal(got, []Key{{Kind: KindNode, Name: "a"}, {Kind: KindNetwork, Name: "blue"}}) {
		t.Errorf("needs %v", got)
	}
	if !strings.Contains(attached.Key().String(), "blue/neta") {
		t.Errorf("key %s", attached.Key())
	}
}
