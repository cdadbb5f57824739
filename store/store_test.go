package store

import (
	"errors"
	"testing"

	"weft/overlay"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	web := overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "web"}
	db := overlay.Key{Kind: overlay.KindEndpoint, Network: "blue", Name: "db"}
	blue := overlay.Key{Kind: overlay.KindNetwork, Name: "blue"}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&ConflictError{Key: web, Have: 7, Expected: Absent}, "endpoint blue/web exists already"},
		{&ConflictError{Key: web, Have: 0, Expected: 5}, "endpoint blue/web was deleted meanwhile"},
		{&ConflictError{Key: web, Have: 7, Expected: 5}, "endpoint blue/web was changed meanwhile (revision 7, expected 5); read it again"},
		{&ClaimedError{Claim: "address/blue/10.7.0.2", Holder: db, Key: web}, "endpoint blue/web: address/blue/10.7.0.2 is taken by endpoint blue/db"},
		{&MissingError{Key: web, Need: blue}, "endpoint blue/web: there is no network blue"},
		{&InUseError{Key: blue, By: web}, "network blue is in use by endpoint blue/web; remove that first"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if !errors.Is(&MissingError{}, ErrNotFound) || errors.Is(&MissingError{}, ErrRestored) {
		t.Error("a missing need is ErrNotFound and nothing else")
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	node := &overlay.Node{Meta: overlay.Meta{Kind: overlay.KindNode, Name: "a"}}
	token := &overlay.Token{Meta: overlay.Meta{Kind: overlay.KindToken, Name: "t"}}
	blue := &overlay.Network{Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: "blue"}}
	web := &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "web"},
		Spec: overlay.EndpointSpec{Node: "a"},
	}
	block := &overlay.Block{
		Meta: overlay.Meta{Kind: overlay.KindBlock, Network: "green", Name: "b"},
		Spec: overlay.BlockSpec{Node: "b"},
	}
	alone := &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Name: "neta"},
		Spec: overlay.TunnelSpec{Node: "a"},
	}
	site := &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Network: "blue", Name: "site"},
		Spec: overlay.TunnelSpec{Node: "b"},
	}
	all := []overlay.Resource{node, token, blue, web, block, alone, site}
	for _, tt := range []struct {
		name string
		in   Interest
		want []overlay.Resource
	}{
		{"everything", Interest{}, []overlay.Resource{node, blue, web, block, alone, site}},
		{"tokens", Interest{Kinds: []overlay.Kind{overlay.KindToken, overlay.KindNode}}, []overlay.Resource{node, token}},
		{"network blue", Interest{Networks: []overlay.NetworkName{"blue"}}, []overlay.Resource{node, blue, web, site}},
		{"node b", Interest{Node: "b"}, []overlay.Resource{node, blue, block, site}},
		{"node b in blue", Interest{Node: "b", Networks: []overlay.NetworkName{"blue"}}, []overlay.Resource{node, blue, site}},
		{"node a's tunnels", Interest{Node: "a", Kinds: []overlay.Kind{overlay.KindTunnel}}, []overlay.Resource{alone}},
	} {
		wanted := map[overlay.Resource]bool{}
		for _, r := range tt.want {
			wanted[r] = true
		}
		for _, r := range all {
			if tt.in.Covers(r) != wanted[r] {
				t.Errorf("%s: %s is covered: %v", tt.name, r.Key(), !wanted[r])
			}
		}
	}
}
