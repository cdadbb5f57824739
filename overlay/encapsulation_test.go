package overlay

import (
	"strings"
	"testing"
)

// What each encapsulation carries, and where.
func TestEncapsulations(t *testing.T) {
	t.Parallel()
	for e, want := range map[Encapsulation]struct {
		bridged, routed, v4, v6, vni bool
		port                         uint16
	}{
		EncapVXLAN:  {true, true, true, true, true, 4789},
		EncapGeneve: {true, true, true, true, true, 6081},
		EncapGRE:    {true, true, true, true, true, 0},
		EncapIPIP:   {false, true, true, false, false, 0},
		EncapSIT:    {false, true, false, true, false, 0},
		EncapUDP:    {false, true, true, true, false, 8285},
		EncapNone:   {false, true, true, true, false, 0},
	} {
		got := want
		got.bridged, got.routed, got.port = e.CarriesKind(Bridged), e.CarriesKind(Routed), e.DefaultPort()
		got.v4, got.v6, got.vni = e.CarriesFamily(V4), e.CarriesFamily(V6), e.HasVNI()
		if got != want {
			t.Errorf("%s: %+v, want %+v", e, got, want)
		}
	}
	for _, k := range []NetworkKind{Bridged, Routed} {
		if Encapsulation("l2tp").CarriesKind(k) || EncapVXLAN.CarriesKind("switched") {
			t.Errorf("an unknown encapsulation or kind is carried by %s", k)
		}
	}
}

// Each encapsulation has its kinds, families and ports.
func TestEncapsulationsOfNetworks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		e      Encapsulation
		kind   NetworkKind
		subnet string
		port   uint16
		want   string
	}{
		{EncapGeneve, Bridged, "10.7.0.0/16", 0, ""},
		{EncapGeneve, Routed, "10.7.0.0/16", 6082, ""},
		{EncapGRE, Bridged, "10.7.0.0/16", 0, ""},
		{EncapGRE, Routed, "fd07::/48", 0, ""},
		{EncapGRE, Routed, "10.7.0.0/16", 4789, "encapsulation gre has no UDP port; want none instead of 4789"},
		{EncapIPIP, Routed, "10.7.0.0/16", 0, ""},
		{EncapIPIP, Bridged, "10.7.0.0/16", 0, "encapsulation ipip routes packets and cannot carry a bridged network; want kind routed or encapsulation vxlan"},
		{EncapIPIP, Routed, "fd07::/48", 0, "encapsulation ipip cannot carry subnet fd07::/48: IPv4 alone is inside"},
		{EncapSIT, Routed, "fd07::/48", 0, ""},
		{EncapUDP, Bridged, "10.7.0.0/16", 0, "encapsulation udp routes packets and cannot carry a bridged network; want kind routed or encapsulation vxlan"},
		{EncapUDP, Routed, "10.7.0.0/16", 8286, ""}, {EncapUDP, Routed, "fd07::/48", 0, ""},
		{EncapSIT, Routed, "10.7.0.0/16", 0, "encapsulation sit cannot carry subnet 10.7.0.0/16: IPv6 alone is inside"},
	} {
		n := Network{Meta: Meta{Name: "blue"}, Spec: NetworkSpec{
			VNI: 4097, Kind: tt.kind, Encapsulation: tt.e, Port: tt.port, Subnets: prefixes(tt.subnet),
		}}
		said := ""
		if err := n.Validate(); err != nil {
			said = strings.TrimPrefix(err.Error(), "network blue: ")
		}
		if said != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.kind, tt.e, said, tt.want)
		}
	}
}

// Networks whose packets do not say which of them they belong to exclude each other.
func TestBareEncapsulationsAreClaimed(t *testing.T) {
	t.Parallel()
	for e, want := range map[Encapsulation]int{EncapVXLAN: 1, EncapGeneve: 1, EncapGRE: 1, EncapNone: 1, "": 1, EncapIPIP: 2, EncapSIT: 2, EncapUDP: 2} {
		n := Network{Spec: NetworkSpec{VNI: 4097, Encapsulation: e}}
		if got := n.Claims(); len(got) != want {
			t.Errorf("%s claims %v, want %d", e, got, want)
		}
	}
	seen := map[Claim]bool{}
	for _, s := range []NetworkSpec{
		{Encapsulation: EncapIPIP}, {Encapsulation: EncapSIT}, {Encapsulation: EncapUDP}, {Encapsulation: EncapUDP, Port: 8286},
	} {
		s.VNI = 4097
		seen[(&Network{Spec: s}).Claims()[1]] = true
	}
	if len(seen) != 4 {
		t.Errorf("these exclude each other: %v", seen)
	}
	explicit := Network{Spec: NetworkSpec{VNI: 4098, Encapsulation: EncapUDP, Port: 8285}}
	if !seen[explicit.Claims()[1]] {
		t.Error("a port that is said is another than the same one by default")
	}
}

// Each encapsulation has planes.
func TestPlanesCarry(t *testing.T) {
	t.Parallel()
	for p, want := range map[PlaneName]string{
		PlaneKernel: "vxlan geneve gre ipip sit none", PlaneEBPF: "vxlan geneve gre ipip sit none", PlaneUser: "udp", "quantum": "vxlan geneve gre ipip sit udp none",
	} {
		var got []string
		for _, e := range []Encapsulation{EncapVXLAN, EncapGeneve, EncapGRE, EncapIPIP, EncapSIT, EncapUDP, EncapNone} {
			if p.Carries(e) {
				got = append(got, string(e))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("plane %s carries %v, want %s", p, got, want)
		}
	}
}
