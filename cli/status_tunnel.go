package cli

import (
	"errors"
	"fmt"
	"slices"

	"weft/cli/output"
	"weft/overlay"
)

// tunnelOnNode is what a node says of one of its tunnels.
type tunnelOnNode struct {
	node string
	overlay.TunnelReport
}

func (a *app) printTunnels(f output.Format, tunnels []tunnelOnNode) error {
	if len(tunnels) == 0 {
		return nil
	}
	type t = tunnelOnNode
	return errors.Join(a.blankLine(), output.List(a.stdout, f, tunnels, []output.Column[t]{
		{Title: "Node", Cell: func(t t) string { return t.node }},
		{Title: "Tunnel", Cell: func(t t) string { return tunnelOf(t.TunnelReport) }},
		{Title: "Plane", Cell: func(t t) string { return string(t.Plane) }},
		{Title: "Why", Cell: func(t t) string { return t.PlaneReason }},
		{Title: "Remote", Cell: func(t t) string { return addrText(t.Remote) }},
		{Title: "State", Cell: func(t t) string { return string(t.State) }},
		{Title: "Since", Cell: func(t t) string { return output.Since(a.now(), t.Since) }},
		{Title: "From", Wide: true, Cell: func(t t) string { return fromText(t.Traffic) }},
		{Title: "To", Wide: true, Cell: func(t t) string { return toText(t.Traffic) }},
		{Title: "Drops", Cell: func(t t) string { return t.Drops.String() }},
	}))
}

// tunnelOf is how commands call the tunnel of a report.
func tunnelOf(r overlay.TunnelReport) string {
	return nameOf(overlay.Key{Kind: overlay.KindTunnel, Network: r.Network, Name: string(r.Tunnel)})
}

// tunnelTroubles is a line for each tunnel that is not up, for what is not as wanted, and for what
// is in the way of packets.
func (a *app) tunnelTroubles(n nodeState) []string {
	var lines []string
	for _, r := range n.Tunnels {
		if r.State != overlay.TunnelUp {
			lines = append(lines, fmt.Sprintf("%s: tunnel %s: %s", n.Node, tunnelOf(r), a.tunnelStateText(&r)))
		}
		for _, d := range slices.Concat(r.Differs, r.Notes) {
			lines = append(lines, fmt.Sprintf("%s: tunnel %s: %s", n.Node, tunnelOf(r), d))
		}
	}
	return lines
}

// tunnelsMatch says whether the tunnels are as wanted; a peer that does not answer is no
// fault of the node's.
func tunnelsMatch(tunnels []overlay.TunnelReport) string {
	for _, r := range tunnels {
		if len(r.Differs) > 0 || r.Present < r.Wanted {
			return "differs"
		}
	}
	return "matches"
}
