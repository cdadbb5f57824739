package overlay

import (
	"net/netip"
	"testing"
)

func node(change func(*Node)) *Node {
	n := &Node{Meta: Meta{Kind: KindNode, Name: "a"}, Spec: NodeSpec{
		Underlay: prefixes("192.0.2.1/24", "2001:db8::1/64"), UnderlayMTU: 1500, VTEPMAC: VTEPMACFor("a"),
	}}
	change(n)
	return n
}

func TestNodeValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Node)
		want   string
	}{
		{"good", func(*Node) {}, ""},
		{"one family", func(n *Node) { n.Spec.Underlay = prefixes("2001:db8::1/64") }, ""},
		{"name", func(n *Node) { n.Name = "a.example" }, `node "a.example": a name has lower-case letters, digits and dashes only`},
		{"no underlay", func(n *Node) { n.Spec.Underlay = nil }, "node a: no underlay address; give one with --underlay"},
		{"empty underlay", func(n *Node) { n.Spec.Underlay = []netip.Prefix{{}} }, "node a: underlay: an address is missing or invalid"},
		{"two of a family", func(n *Node) { n.Spec.Underlay = prefixes("192.0.2.1/24", "192.0.2.2/24") }, "node a: underlay 192.0.2.2/24: a node has one underlay address of each family"},
		{"loopback", func(n *Node) { n.Spec.Underlay = prefixes("127.0.0.1/8") },
			"node a: underlay 127.0.0.1/8: other nodes cannot reach it; want a unicast address that is neither loopback nor link-local"},
		{"link-local", func(n *Node) { n.Spec.Underlay = prefixes("fe80::1/64") },
			"node a: underlay fe80::1/64: other nodes cannot reach it; want a unicast address that is neither loopback nor link-local"},
		{"mapped", func(n *Node) { n.Spec.Underlay = prefixes("::ffff:192.0.2.1/120") }, "node a: underlay ::ffff:192.0.2.1/120: want plain IPv4, not a mapped address"},
		{"MTU too small", func(n *Node) { n.Spec.UnderlayMTU = 575 }, "node a: underlay MTU 575: want 576 to 65535 bytes"},
		{"MTU too large", func(n *Node) { n.Spec.UnderlayMTU = 65536 }, "node a: underlay MTU 65536: want 576 to 65535 bytes"},
		{"no VTEP MAC", func(n *Node) { n.Spec.VTEPMAC = MAC{} }, "node a: VTEP MAC 00:00:00:00:00:00: want a unicast MAC"},
		{"VTEP MAC", func(n *Node) { n.Spec.VTEPMAC = MAC{1} }, "node a: VTEP MAC 01:00:00:00:00:00: want a unicast MAC"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, node(tt.change).Validate(), tt.want)
		})
	}
}

func TestNodeUnderlay(t *testing.T) {
	t.Parallel()
	n := node(func(n *Node) { n.Spec.Underlay = prefixes("192.0.2.1/24") })
	if p, ok := n.Underlay(V4); !ok || p.String() != "192.0.2.1/24" {
		t.Errorf("Underlay(v4) = %s, %v", p, ok)
	}
	if p, ok := n.Underlay(V6); ok {
		t.Errorf("Underlay(v6) = %s", p)
	}
}

// TestVTEPMACFor: a node that is installed again has the MAC that others know.
func TestVTEPMACFor(t *testing.T) {
	t.Parallel()
	for name, want := range map[NodeName]string{"a": "02:77:c2:83:fb:1e", "b": "02:77:2f:3f:56:9b"} {
		if got := VTEPMACFor(name); got.String() != want || !got.IsUnicast() {
			t.Errorf("VTEPMACFor(%s) = %s, want %s", name, got, want)
		}
	}
}
