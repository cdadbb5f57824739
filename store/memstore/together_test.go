package memstore_test

import (
	"errors"
	"net/netip"
	"testing"

	"weft/overlay"
	"weft/store"
	"weft/store/memstore"
)

func network(name string, vni overlay.VNI) *overlay.Network {
	return &overlay.Network{Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: name}, Spec: overlay.NetworkSpec{
		VNI: vni, Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/16")},
	}.Complete()}
}

func bridge(network, name string) *overlay.Endpoint {
	return &overlay.Endpoint{Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name}, Spec: overlay.EndpointSpec{
		Node: "b", Port: overlay.PortSegment, Attach: overlay.Attach{Type: overlay.AttachBridge, Target: "br-" + name},
	}}
}

func puts(all ...overlay.Resource) (changes []store.Change) {
	for _, r := range all {
		changes = append(changes, store.Change{Put: r, Expect: store.Any})
	}
	return changes
}

// TestTogether: what only one may hold goes from hand to hand, a delete takes along what needs the
// resource, watches see all at once, and what cannot be leaves nothing behind.
func TestTogether(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{})
	if _, err := s.Together(t.Context(), puts(node(1), network("blue", 1), network("green", 2), network("red", 3), bridge("red", "x"))); err != nil {
		t.Fatal(err)
	}
	before := first(t, s, overlay.Revision{})
	stored, err := s.Together(t.Context(), append(puts(network("blue", 2), network("green", 1)), store.Change{
		Delete: overlay.Key{Kind: overlay.KindNetwork, Name: "red"}, Expect: store.Any,
	}))
	if err != nil || len(stored) != 2 {
		t.Fatalf("%v: %v", stored, err)
	}
	now := first(t, s, before.Revision)
	if now.Reset || len(now.Puts) != 2 || len(now.Deletes) != 2 || now.Puts[0].(*overlay.Network).Spec.VNI != 2 {
		t.Errorf("a watch got %+v", now)
	}
	var claimed *store.ClaimedError
	for _, wrong := range [][]overlay.Resource{
		{network("red", 4), network("blue", 1)}, // which green has, and keeps
		{network("blue", 5), network("green", 5)},
		{network("green", 2), network("blue", 2)}, // of which blue stays as it is
	} {
		if _, err := s.Together(t.Context(), puts(wrong...)); !errors.As(err, &claimed) {
			t.Errorf("%v", err)
		}
	}
	if after := first(t, s, before.Revision); len(after.Puts) != 2 || after.Revision != now.Revision {
		t.Errorf("what was refused has left %+v", after)
	}
	if _, _, err := s.Update(t.Context(), store.Change{Put: network("red", 1), Expect: store.Any}); !errors.As(err, &claimed) || claimed.Holder.Name != "green" {
		t.Errorf("after all that: %v", err)
	}
}
