package cli

import (
	"net/netip"
	"testing"

	"weft/overlay"
)

func TestSegmentsOfNodes(t *testing.T) {
	t.Parallel()
	var nodes []overlay.Resource
	for _, n := range []struct{ name, v4, v6 string }{
		{"a", "192.0.2.1/24", "2001:db8::1/64"}, {"b", "192.0.2.2/24", "2001:db8::2/64"}, {"c", "198.51.100.3/24", ""},
	} {
		node := &overlay.Node{Meta: overlay.Meta{Kind: overlay.KindNode, Name: n.name}}
		for _, p := range []string{n.v4, n.v6} {
			if p != "" {
				node.Spec.Underlay = append(node.Spec.Underlay, netip.MustParsePrefix(p))
			}
		}
		nodes = append(nodes, node)
	}
	for family, want := range map[overlay.Family]string{
		overlay.V4: "192.0.2.0/24 (a, b) and 198.51.100.0/24 (c)",
		overlay.V6: "2001:db8::/64 (a, b)",
	} {
		if got := segmentsText(segments(nodes, family)); got != want {
			t.Errorf("%s: got %q, want %q", family, got, want)
		}
	}
}
