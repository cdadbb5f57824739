package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft/cli/output"
	"weft/overlay"
)

// printStatus prints the nodes, their networks, and what is wrong.
func (a *app) printStatus(f output.Format, nodes []nodeState, hold string) error {
	var networks []networkState
	var tunnels []tunnelOnNode
	for _, n := range nodes {
		for _, r := range n.Tunnels {
			tunnels = append(tunnels, tunnelOnNode{n.label(), r})
		}
		for _, r := range n.Networks {
			networks = append(networks, networkState{n.label(), r})
		}
	}
	return errors.Join(
		output.List(a.stdout, f, nodes, a.nodeStateColumns()),
		a.printNetworks(f, networks),
		a.printTunnels(f, tunnels),
		a.printTroubles(append(holdLines(hold), a.troubles(nodes)...)),
	)
}

func (a *app) printNetworks(f output.Format, networks []networkState) error {
	if len(networks) == 0 {
		return nil
	}
	return errors.Join(a.blankLine(), output.List(a.stdout, f, networks, a.networkStateColumns()))
}

func (a *app) blankLine() error {
	_, err := fmt.Fprintln(a.stdout)
	return err
}

func (a *app) printTroubles(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return errors.Join(a.blankLine(), output.Lines(a.stdout, output.Table, lines))
}

// troubles is a line for each thing that is not as wanted.
func (a *app) troubles(nodes []nodeState) []string {
	var lines []string
	for _, n := range nodes {
		if n.Hold != "" {
			lines = append(lines, fmt.Sprintf("%s: on hold: %s", n.Node, n.Hold))
		}
		if n.Server != nil && !n.Server.Connected && !n.starting() {
			lines = append(lines, fmt.Sprintf("%s: no server: %s", n.Node, first(n.Server.Error, "not connected")))
		}
		for _, network := range slices.Sorted(maps.Keys(n.Held)) {
			lines = append(lines, fmt.Sprintf("%s: %s is left as it is: %s", n.Node, network, n.Held[network]))
		}
		for _, r := range n.Networks {
			for _, d := range r.Differs {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", n.Node, r.Network, d))
			}
			if better := betterText(n.Node, r); better != "" {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", n.Node, r.Network, better))
			}
		}
		lines = append(lines, a.tunnelTroubles(n)...)
	}
	return lines
}

func (n nodeState) label() string {
	if n.Local {
		return string(n.Node) + " *"
	}
	return string(n.Node)
}

// starting reports whether the agent here has just begun: it has neither reached a
// server yet nor been kept from that.
func (n nodeState) starting() bool {
	return n.Server != nil && !n.Server.Connected && n.Server.Since.IsZero() && n.Server.Error == ""
}

// stateText says how far the node is.
func stateText(n nodeState) string {
	switch {
	case n.starting() && len(n.Networks) == 0:
		return "starting"
	case len(n.Networks) == 0 && len(n.Tunnels) > 0, matchText(n.Networks) == "matches":
		return tunnelsMatch(n.Tunnels)
	}
	return matchText(n.Networks)
}

func (a *app) nodeStateColumns() []output.Column[nodeState] {
	type n = nodeState
	return []output.Column[n]{
		{Title: "Node", Cell: n.label},
		{Title: "State", Cell: stateText},
		{Title: "Seen", Cell: func(n n) string {
			if n.Local {
				return "now"
			}
			return agoText(output.Since(a.now(), n.Seen))
		}},
		{Title: "Server", Cell: a.serverText},
		{Title: "Drops", Cell: func(n n) string { return n.Drops.String() }},
		{Title: "Version", Wide: true, Cell: func(n n) string { return n.Version }},
	}
}

func (a *app) serverText(n nodeState) string {
	switch {
	case n.FollowsFile:
		return "none: follows a file"
	case n.Server == nil:
		return ""
	}
	state := "connected"
	switch {
	case n.starting():
		state = "connecting"
	case !n.Server.Connected:
		state = "lost"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", n.Server.Server, state, output.Since(a.now(), n.Server.Since)))
}

// networkState is one network on one node.
type networkState struct {
	node string
	overlay.NetworkReport
}

func (a *app) networkStateColumns() []output.Column[networkState] {
	type s = networkState
	return []output.Column[s]{
		{Title: "Node", Cell: func(s s) string { return s.node }},
		{Title: "Network", Cell: func(s s) string { return string(s.Network) }},
		{Title: "Plane", Cell: func(s s) string { return string(s.Plane) }},
		{Title: "Why", Cell: func(s s) string { return s.PlaneReason }},
		{Title: "Wanted", Cell: func(s s) string { return fmt.Sprint(s.Wanted) }},
		{Title: "Present", Cell: func(s s) string { return fmt.Sprint(s.Present) }},
		{Title: "State", Cell: func(s s) string { return matchText([]overlay.NetworkReport{s.NetworkReport}) }},
		{Title: "Since", Cell: func(s s) string { return output.Since(a.now(), s.Since) }},
		{Title: "From ports", Wide: true, Cell: func(s s) string { return fromText(s.Traffic.Ports) }},
		{Title: "To ports", Wide: true, Cell: func(s s) string { return toText(s.Traffic.Ports) }},
		{Title: "From nodes", Wide: true, Cell: func(s s) string { return fromText(s.Traffic.Nodes) }},
		{Title: "To nodes", Wide: true, Cell: func(s s) string { return toText(s.Traffic.Nodes) }},
		{Title: "Drops", Cell: func(s s) string { return s.Drops.String() }},
	}
}
