package plan

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"weft/overlay"
)

// large is a snapshot of 1,000 nodes and 100,000 endpoints in one network, 50
// of them on the first node.
func large(kind overlay.NetworkKind, subnets ...string) *overlay.Snapshot {
	const nodes, endpoints, local = 1000, 100_000, 50
	s := overlay.NewSnapshot()
	n := &overlay.Network{
		Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: "blue"},
		Spec: overlay.NetworkSpec{VNI: 4097, Kind: kind, Subnets: prefixes(subnets...)},
	}
	n.Spec = n.Spec.Complete()
	s.Put(n)
	for i := range nodes {
		name := nodeNumber(i)
		s.Put(&overlay.Node{Meta: overlay.Meta{Kind: overlay.KindNode, Name: string(name)}, Spec: overlay.NodeSpec{
			Underlay:    []netip.Prefix{netip.PrefixFrom(numbered([4]byte{172, 16}, i+1), 16)},
			UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor(name),
		}})
		if kind == overlay.Routed {
			p := netip.PrefixFrom(numbered([4]byte{10}, i<<8), 24)
			s.Put(&overlay.Block{Meta: overlay.Meta{Kind: overlay.KindBlock, Network: "blue", Name: overlay.BlockName(p)}, Spec: overlay.BlockSpec{Node: name, Prefix: p}})
		}
	}
	for i := range endpoints {
		node := 0
		if i >= local {
			node = 1 + i%(nodes-1)
		}
		e := endpointNumber(i, node)
		e.Spec.Addresses = e.Spec.Addresses[:len(subnets)]
		s.Put(e)
	}
	return s
}

func nodeNumber(i int) overlay.NodeName { return overlay.NodeName(fmt.Sprintf("node-%d", i)) }

func numbered(b [4]byte, i int) netip.Addr {
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(i))
	return netip.AddrFrom4(b)
}

func endpointNumber(i, node int) *overlay.Endpoint {
	a6 := netip.MustParseAddr("fd07::").As16()
	binary.BigEndian.PutUint32(a6[12:], uint32(i+2))
	return &overlay.Endpoint{
		Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: fmt.Sprintf("e%d", i)},
		Spec: overlay.EndpointSpec{
			Node: nodeNumber(node), Port: overlay.PortSingle,
			MAC:       overlay.MAC{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)},
			Addresses: []netip.Addr{numbered([4]byte{10}, i+2), netip.AddrFrom16(a6)},
			Attach:    overlay.Attach{Type: overlay.AttachNetns, Target: "/run/netns/e"},
		},
	}
}

func BenchmarkFor(b *testing.B) {
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		for name, subnets := range map[string][]string{"v4": {"10.0.0.0/8"}, "both": {"10.0.0.0/8", "fd07::/48"}} {
			s := large(kind, subnets...)
			b.Run(string(kind)+"/"+name, func(b *testing.B) {
				for b.Loop() {
					if n := For("node-0", s).Networks["blue"]; len(n.Ports) != 50 || len(n.Members) != 999 {
						b.Fatalf("%d ports, %d members", len(n.Ports), len(n.Members))
					}
				}
			})
		}
	}
}

// BenchmarkStart is what an agent's start costs: all is put, and planned once.
func BenchmarkStart(b *testing.B) {
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		all := resources(large(kind, "10.0.0.0/8", "fd07::/48"))
		b.Run(string(kind), func(b *testing.B) {
			for b.Loop() {
				p := NewPlanner("node-0")
				for _, r := range all {
					p.Put(r)
				}
				if _, changed := p.Plan(); !changed {
					b.Fatal("nothing changed")
				}
			}
		})
	}
}

// BenchmarkPlanner changes one endpoint of 100,000 at a time.
func BenchmarkPlanner(b *testing.B) {
	for _, kind := range []overlay.NetworkKind{overlay.Bridged, overlay.Routed} {
		p := NewPlanner("node-0")
		for _, r := range resources(large(kind, "10.0.0.0/8", "fd07::/48")) {
			p.Put(r)
		}
		p.Plan()
		one := func(name string, do func(i int)) {
			b.Run(string(kind)+"/"+name, func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					do(i)
					if _, changed := p.Plan(); !changed && kind == overlay.Bridged {
						b.Fatal("nothing changed")
					}
				}
			})
		}
		one("move", func(i int) { p.Put(endpointNumber(99_999, 1+i%999)) })
		one("come and go", func(i int) { putOrDelete(p, i, endpointNumber(100_000, 5)) })
		one("local", func(i int) { putOrDelete(p, i, endpointNumber(100_001, 0)) })
		extra := &overlay.Node{Meta: overlay.Meta{Kind: overlay.KindNode, Name: "node-1000"}, Spec: overlay.NodeSpec{
			Underlay: prefixes("172.17.0.1/16"), UnderlayMTU: 1500, VTEPMAC: overlay.VTEPMACFor("node-1000"),
		}}
		p.Put(extra)
		one("first on its node", func(i int) { putOrDelete(p, i, endpointNumber(100_002, 1000)) })
	}
}

func putOrDelete(p *Planner, i int, e *overlay.Endpoint) {
	if i%2 == 0 {
		p.Put(e)
	} else {
		p.Delete(e.Key())
	}
}

func resources(s *overlay.Snapshot) []overlay.Resource {
	var all []overlay.Resource
	for _, r := range s.Nodes {
		all = append(all, r)
	}
	for _, r := range s.Networks {
		all = append(all, r)
	}
	for _, list := range s.Blocks {
		for _, r := range list {
			all = append(all, r)
		}
	}
	for _, list := range s.Endpoints {
		for _, r := range list {
			all = append(all, r)
		}
	}
	return all
}
