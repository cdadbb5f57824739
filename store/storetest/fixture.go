package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"weft/overlay"
	"weft/store"
)

func node(name string, n byte) *overlay.Node {
	return &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: name},
		Spec: overlay.NodeSpec{
			Underlay:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 24)},
			UnderlayMTU: 1500,
			VTEPMAC:     overlay.VTEPMACFor(overlay.NodeName(name)),
			Planes:      []overlay.PlaneName{overlay.PlaneKernel},
		},
	}
}

func network(name string, vni overlay.VNI) *overlay.Network {
	spec := overlay.NetworkSpec{VNI: vni, Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24")}}
	return &overlay.Network{
		Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: name},
		Spec: spec.Complete(),
	}
}

// endpoint is one whose MAC and address end in n.
func endpoint(network, name, node string, n byte) *overlay.Endpoint {
	return &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: overlay.NetworkName(network), Name: name},
		Spec: overlay.EndpointSpec{
			Node:      overlay.NodeName(node),
			Port:      overlay.PortSingle,
			MAC:       overlay.MAC{2, 0, 0, 0, 0, n},
			Addresses: []netip.Addr{address(n)},
			Attach: overlay.Attach{
				Type: overlay.AttachNetns, Target: "/run/netns/" + network + "-" + name, Interface: "eth0",
			},
			Lifetime: overlay.Bound,
		},
	}
}

func block(network, node string, n byte) *overlay.Block {
	prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, n, 0}), 24)
	return &overlay.Block{
		Meta: overlay.Meta{Kind: overlay.KindBlock, Network: overlay.NetworkName(network), Name: overlay.BlockName(prefix)},
		Spec: overlay.BlockSpec{Node: overlay.NodeName(node), Prefix: prefix},
	}
}

// tunnel is one to a peer whose address ends in n; without a network it stands alone.
func tunnel(network, name, node string, n byte) *overlay.Tunnel {
	spec := overlay.TunnelSpec{
		Node: overlay.NodeName(node), Mode: overlay.TunnelGRETAP,
		Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.AddrFrom4([4]byte{203, 0, 113, n}).String(),
	}
	return &overlay.Tunnel{
		Meta: overlay.Meta{Kind: overlay.KindTunnel, Network: overlay.NetworkName(network), Name: name},
		Spec: spec.Complete(overlay.TunnelName(name)),
	}
}

func token(name string) *overlay.Token {
	return &overlay.Token{
		Meta: overlay.Meta{Kind: overlay.KindToken, Name: name},
		Spec: overlay.TokenSpec{Role: overlay.RoleReader, Expires: Now().Add(time.Hour), Hash: strings.Repeat("0f", 32)},
	}
}

func address(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 7, 0, n}) }

// addressClaim is the claim of an address that ends in n.
func addressClaim(network string, n byte) overlay.Claim {
	return overlay.Claim(fmt.Sprintf("address/%s/%s", network, address(n)))
}

// create writes new resources and returns them as stored.
func create[R overlay.Resource](t testing.TB, s store.Store, resources ...R) []R {
	t.Helper()
	var stored []R
	for _, r := range resources {
		stored = append(stored, write(t, s, r, store.Absent))
	}
	return stored
}

// write writes a resource and returns it as stored.
func write[R overlay.Resource](t testing.TB, s store.Store, r R, expect int64) R {
	t.Helper()
	return change[R](t, s, store.Change{Put: r, Expect: expect})
}

// change makes a change that puts something.
func change[R overlay.Resource](t testing.TB, s store.Store, c store.Change) R {
	t.Helper()
	stored, at, err := s.Update(t.Context(), c)
	if err != nil {
		t.Fatalf("write %s: %v", c.Put.Key(), err)
	}
	r, ok := stored.(R)
	if !ok {
		t.Fatalf("write %s: got %T", c.Put.Key(), stored)
	}
	if at.Incarnation == "" || at.Number < r.Header().Revision {
		t.Fatalf("write %s: the store is at %s after revision %d", c.Put.Key(), at, r.Header().Revision)
	}
	return r
}

// remove deletes a resource whatever its revision, and returns the store's.
func remove(t testing.TB, s store.Store, k overlay.Key) overlay.Revision {
	t.Helper()
	stored, at, err := s.Update(t.Context(), store.Change{Delete: k, Expect: store.Any})
	if err != nil {
		t.Fatalf("delete %s: %v", k, err)
	}
	if stored != nil {
		t.Fatalf("delete %s: got %v, want nil", k, stored)
	}
	return at
}

// refused makes a change that must fail, and returns its error as an E.
func refused[E error](t testing.TB, s store.Store, c store.Change) E {
	t.Helper()
	stored, _, err := s.Update(t.Context(), c)
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v and error %v (%T), want %T", stored, err, err, e)
	}
	return e
}

// two makes nodes a and b and network blue.
func two(t testing.TB, s store.Store) {
	t.Helper()
	create(t, s, node("a", 1), node("b", 2))
	create(t, s, network("blue", 4097))
}

// byValue lets go-cmp compare addresses.
var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})
