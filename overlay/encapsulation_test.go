package overlay

import (
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

// A spec with an encapsulation that no plane does is refused by name, and what else is
// wrong with it is said first.
func TestEncapsulationsWithoutPlane(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		e      Encapsulation
		kind   NetworkKind
		subnet string
		port   uint16
		want   string
	}{
		{EncapGeneve, Bridged, "10.7.0.0/16", 0, "encapsulation geneve: no plane of this version does it"},
		{EncapGeneve, Routed, "10.7.0.0/16", 6082, "encapsulation geneve: no plane of this version does it"},
		{EncapGRE, Bridged, "10.7.0.0/16", 0, "encapsulation gre: no plane of this version does it"},
		{EncapGRE, Routed, "fd07::/48", 0, "encapsulation gre: no plane of this version does it"},
		{EncapGRE, Routed, "10.7.0.0/16", 4789, "encapsulation gre has no UDP port; want none instead of 4789"},
		{EncapIPIP, Routed, "10.7.0.0/16", 0, "encapsulation ipip: no plane of this version does it"},
		{EncapIPIP, Bridged, "10.7.0.0/16", 0, "encapsulation ipip routes packets and cannot carry a bridged network; want kind routed or encapsulation vxlan"},
		{EncapIPIP, Routed, "fd07::/48", 0, "encapsulation ipip cannot carry subnet fd07::/48: IPv4 alone is inside"},
		{EncapSIT, Routed, "fd07::/48", 0, "encapsulation sit: no plane of this version does it"},
		{EncapSIT, Routed, "10.7.0.0/16", 0, "encapsulation sit cannot carry subnet 10.7.0.0/16: IPv6 alone is inside"},
	} {
		n := Network{Meta: Meta{Name: "blue"}, Spec: NetworkSpec{
			VNI: 4097, Kind: tt.kind, Encapsulation: tt.e, Port: tt.port, Subnets: prefixes(tt.subnet),
		}}
		if err := n.Validate(); err == nil || err.Error() != "network blue: "+tt.want {
			t.Errorf("%s %s: %v, want %s", tt.kind, tt.e, err, tt.want)
		}
	}
}
