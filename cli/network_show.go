package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newNetworkShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a network with its endpoints, blocks and tunnels",
		Example:           "  weft network show blue\n  weft network show blue -o yaml",
		ValidArgsFunction: a.completeNetwork,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, r, err := a.resource(cmd.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: args[0]})
		if err != nil {
			return err
		}
		if format.Structured() {
			return output.One(a.stdout, *format, r, nil)
		}
		parts, err := list(cmd.Context(), server, listing{
			kinds: []overlay.Kind{overlay.KindBlock, overlay.KindTunnel, overlay.KindEndpoint}, network: overlay.NetworkName(args[0]),
		})
		if err != nil {
			return err
		}
		nodes, err := list(cmd.Context(), server, listing{kinds: []overlay.Kind{overlay.KindNode}})
		if err != nil {
			return err
		}
		return output.One(a.stdout, *format, r.(*overlay.Network), networkDetails(append(parts, nodes...)))
	}
	return cmd
}

// networkDetails are a network's properties; parts are its blocks, tunnels and endpoints, and all nodes.
func networkDetails(parts []overlay.Resource) []output.Column[*overlay.Network] {
	type n = *overlay.Network
	return []output.Column[n]{
		{Title: "Network", Cell: func(n n) string { return n.Name }},
		{Title: "VNI", Cell: func(n n) string { return n.Spec.VNI.String() }},
		{Title: "Kind", Cell: func(n n) string { return string(n.Spec.Kind) }},
		{Title: "Subnets", Cell: func(n n) string { return output.Join(n.Spec.Subnets) }},
		{Title: "Gateways", Cell: func(n n) string { return output.Join(n.Spec.Gateways) }},
		{Title: "Gateway MAC", Cell: func(n n) string { return n.Spec.VNI.GatewayMAC().String() }},
		{Title: "Encapsulation", Cell: encapsulationText},
		{Title: "Underlay", Cell: func(n n) string { return string(n.Spec.Underlay) }},
		{Title: "MTU", Cell: func(n n) string { return first(number(n.Spec.MTU), "auto") }},
		{Title: "Plane", Cell: func(n n) string { return string(n.Spec.Plane) }},
		{Title: "On nodes", Cell: func(n n) string { return planesText(overlay.NetworkName(n.Name), parts) }},
		{Title: "Discovery", Cell: discoveryText},
		{Title: "Peers", Cell: peersText},
		{Title: "Tunnel packets", Cell: outerText},
		{Title: "BUM", Cell: bumText},
		{Title: "Direct routing", Cell: directText},
		{Title: "Block size", Cell: blockBitsText},
		{Title: "Blocks", Cell: func(n) string { return blocksText(parts) }},
		{Title: "Tunnels", Cell: func(n) string { return tunnelsText(parts) }},
		{Title: "Endpoints", Cell: func(n) string { return endpointsText(parts) }},
		{Title: "Created", Cell: func(n n) string { return timeText(n.Created) }},
		{Title: "UID", Wide: true, Cell: func(n n) string { return n.UID }},
		{Title: "Generation", Wide: true, Cell: func(n n) string { return fmt.Sprint(n.Generation) }},
		{Title: "Revision", Wide: true, Cell: func(n n) string { return fmt.Sprint(n.Revision) }},
	}
}

// blockBitsText is the prefix lengths of a host's blocks, "/24, /64".
func blockBitsText(n *overlay.Network) string {
	if n.Spec.Kind != overlay.Routed {
		return ""
	}
	var lengths []string
	for _, p := range n.Spec.Subnets {
		lengths = append(lengths, fmt.Sprintf("/%d", n.Spec.BlockBits(overlay.FamilyOf(p.Addr()))))
	}
	return strings.Join(lengths, ", ")
}

// blocksText is a line for each block.
func blocksText(parts []overlay.Resource) string {
	var lines []string
	for _, r := range parts {
		if b, ok := r.(*overlay.Block); ok {
			lines = append(lines, fmt.Sprintf("%s on %s", b.Spec.Prefix, b.Spec.Node))
		}
	}
	return strings.Join(lines, "\n")
}

// tunnelsText is a line for each tunnel that is attached to the network.
func tunnelsText(parts []overlay.Resource) string {
	var lines []string
	for _, r := range parts {
		if t, ok := r.(*overlay.Tunnel); ok {
			lines = append(lines, fmt.Sprintf("%s on %s: %s to %s", t.Name, t.Spec.Node, t.Spec.Mode, t.Spec.Remote))
		}
	}
	return strings.Join(lines, "\n")
}

// endpointsText counts endpoints and the nodes that have some.
func endpointsText(parts []overlay.Resource) string {
	count, nodes := 0, map[overlay.NodeName]bool{}
	for _, r := range parts {
		if e, ok := r.(*overlay.Endpoint); ok {
			count++
			nodes[e.Spec.Node] = true
		}
	}
	switch {
	case count == 0:
		return "none"
	case len(nodes) == 1:
		return fmt.Sprintf("%d on 1 node", count)
	}
	return fmt.Sprintf("%d on %d nodes", count, len(nodes))
}

// planesText is a line for each node that has the network: with which plane, and why.
func planesText(name overlay.NetworkName, parts []overlay.Resource) string {
	var lines []string
	for _, part := range parts {
		n, ok := part.(*overlay.Node)
		if !ok {
			continue
		}
		for _, r := range n.Status.Networks {
			if r.Network == name {
				lines = append(lines, n.Name+": "+planeText(r))
			}
		}
	}
	return strings.Join(lines, "\n")
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
