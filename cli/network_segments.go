package cli

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"weft/api"
	"weft/cli/output"
	"weft/overlay"
)

// warnOfSegments says, of a network without encapsulation, which nodes will not reach
// each other in it. That is no error: nobody knows yet on which nodes it will be.
func (a *app) warnOfSegments(ctx context.Context, server *api.Client, n *overlay.Network) error {
	if n.Spec.Encapsulation != overlay.EncapNone {
		return nil
	}
	nodes, err := list(ctx, server, listing{kinds: []overlay.Kind{overlay.KindNode}})
	if err != nil {
		return err
	}
	for _, subnet := range n.Spec.Subnets {
		family := overlay.FamilyOf(subnet.Addr())
		if on := segments(nodes, family); len(on) > 1 {
			return a.warn("network %s: without encapsulation a node reaches those on its own underlay segment alone, and the nodes are on several: %s; "+
				"encapsulation vxlan with --direct-routing reaches all", n.Name, segmentsText(on))
		}
	}
	return nil
}

// segments are the underlay segments of a family, with the nodes on each.
func segments(nodes []overlay.Resource, family overlay.Family) map[netip.Prefix][]string {
	on := map[netip.Prefix][]string{}
	for _, r := range nodes {
		if node, ok := r.(*overlay.Node); ok {
			if p, has := node.Underlay(family); has {
				on[p.Masked()] = append(on[p.Masked()], node.Name)
			}
		}
	}
	return on
}

// segmentsText is "192.0.2.0/24 (a, b) and 198.51.100.0/24 (c)".
func segmentsText(on map[netip.Prefix][]string) string {
	var words []string
	for _, p := range slices.SortedFunc(maps.Keys(on), netip.Prefix.Compare) {
		words = append(words, fmt.Sprintf("%s (%s)", p, output.Join(on[p])))
	}
	return strings.Join(words, " and ")
}
