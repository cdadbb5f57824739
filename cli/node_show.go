package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newNodeShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a node with what it reported last",
		Example:           "  weft node show a\n  weft node show a -o json",
		ValidArgsFunction: a.completeNode,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		r, err := server.Get(cmd.Context(), overlay.Key{Kind: overlay.KindNode, Name: args[0]})
		if err != nil {
			return err
		}
		return output.One(a.stdout, *format, r.(*overlay.Node), a.nodeDetails())
	}
	return cmd
}

func (a *app) nodeDetails() []output.Column[*overlay.Node] {
	type n = *overlay.Node
	return []output.Column[n]{
		{Title: "Node", Cell: func(n n) string { return n.Name }},
		{Title: "Underlay", Cell: func(n n) string { return output.Join(n.Spec.Underlay) }},
		{Title: "Underlay MTU", Cell: func(n n) string { return number(n.Spec.UnderlayMTU) }},
		{Title: "VTEP MAC", Cell: func(n n) string { return macText(n.Spec.VTEPMAC) }},
		{Title: "Planes", Cell: func(n n) string { return output.Join(n.Spec.Planes) }},
		{Title: "Lacks", Cell: lackLines},
		{Title: "Tunnel modes", Cell: tunnelModeLines},
		{Title: "Version", Cell: func(n n) string { return n.Status.Version }},
		{Title: "Kernel", Cell: func(n n) string { return n.Status.Kernel }},
		{Title: "Seen", Cell: func(n n) string { return agoText(output.Since(a.now(), n.Status.Seen)) }},
		{Title: "Networks", Cell: a.reportLines},
		{Title: "Tunnels", Cell: a.tunnelReportLines},
		{Title: "Drops", Cell: func(n n) string { return n.Status.Drops.String() }},
		{Title: "Created", Cell: func(n n) string { return timeText(n.Created) }},
		{Title: "UID", Wide: true, Cell: func(n n) string { return n.UID }},
		{Title: "Generation", Wide: true, Cell: func(n n) string { return fmt.Sprint(n.Generation) }},
		{Title: "Revision", Wide: true, Cell: func(n n) string { return fmt.Sprint(n.Revision) }},
	}
}

// lackLines is a line for each plane that the node cannot run.
func lackLines(n *overlay.Node) string {
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(n.Spec.Lacks)) {
		lines = append(lines, fmt.Sprintf("%s: %s", p, n.Spec.Lacks[p]))
	}
	return strings.Join(lines, "\n")
}

// tunnelModeLines is a line for each plane that can do tunnels to strangers: which modes.
func tunnelModeLines(n *overlay.Node) string {
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(n.Spec.TunnelModes)) {
		if modes := n.Spec.TunnelModes[p]; len(modes) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", p, output.Join(modes)))
		}
	}
	return strings.Join(lines, "\n")
}

// tunnelReportLines is a line for each tunnel, and one for each thing that differs.
func (a *app) tunnelReportLines(n *overlay.Node) string {
	var lines []string
	for _, r := range n.Status.Tunnels {
		lines = append(lines, fmt.Sprintf("%s: on %s: %s", tunnelOf(r),
			planeText(overlay.NetworkReport{Plane: r.Plane, PlaneReason: r.PlaneReason}), a.tunnelStateText(&r)))
		for _, d := range r.Differs {
			lines = append(lines, "  "+d)
		}
	}
	return strings.Join(lines, "\n")
}

// reportLines is a line for each network, and one for each thing that differs.
func (a *app) reportLines(n *overlay.Node) string {
	var lines []string
	for _, r := range n.Status.Networks {
		lines = append(lines, fmt.Sprintf("%s: on %s: %d of %d present, since %s",
			r.Network, planeText(r), r.Present, r.Wanted, first(output.Since(a.now(), r.Since), "the beginning")))
		if better := betterText(overlay.NodeName(n.Name), r); better != "" {
			lines = append(lines, "  "+better)
		}
		for _, d := range r.Differs {
			lines = append(lines, "  "+d)
		}
		lines = append(lines, trafficLines(r.Traffic)...)
		if drops := r.Drops.String(); drops != "" {
			lines = append(lines, "  dropped: "+drops)
		}
	}
	return strings.Join(lines, "\n")
}

// planeText is "kernel (auto: the kernel lacks tcx)".
func planeText(r overlay.NetworkReport) string {
	if r.PlaneReason == "" {
		return string(r.Plane)
	}
	return fmt.Sprintf("%s (%s)", r.Plane, r.PlaneReason)
}

// betterText says how to have the better plane that there is now; empty: there is none.
func betterText(node overlay.NodeName, r overlay.NetworkReport) string {
	if r.BetterPlane == "" {
		return ""
	}
	return fmt.Sprintf("%s would work here now: weft node migrate-plane %s %s --to %[1]s", r.BetterPlane, node, r.Network)
}
