package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft/api/agentapi"
	"weft/cli/output"
	"weft/overlay"
)

// nodeState is how far one node is from what is wanted: this host as its agent
// says now, another as it reported last.
type nodeState struct {
	Node    overlay.NodeName `json:"node"`
	Local   bool             `json:"local"`
	Version string           `json:"version,omitempty"`
	// Seen is when the node last reported; zero on this host.
	Seen time.Time `json:"seen,omitzero"`
	// Server is this host's connection to the servers.
	Server *agentapi.Connection `json:"server,omitempty"`
	// FollowsFile: this host follows a file and no server.
	FollowsFile bool                           `json:"followsFile,omitempty"`
	Hold        string                         `json:"hold,omitempty"`
	Held        map[overlay.NetworkName]string `json:"held,omitempty"`
	Networks    []overlay.NetworkReport        `json:"networks"`
	Tunnels     []overlay.TunnelReport         `json:"tunnels,omitempty"`
	// Drops counts tunnel packets that are of no network on the node.
	Drops overlay.Drops `json:"drops,omitempty"`
}

func newStatus(a *app) *cobra.Command {
	var local bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what was wanted, what is there, and what differs and why",
		Long: `Show, for each network on each node, how much was wanted and how much is there, since
when, and what differs and why: on this host as its agent finds it now (marked *), on the
others as they reported last. What cannot be asked, the agent or the servers, is
left out, and said so. Nodes with tunnels have a table of them, and below it which
are not up, and why.

DROPS counts packets by why they were dropped: beside a network what came from no
member (not-member) or with a forged source (spoofed-mac, spoofed-ip), beside a node
tunnel packets that are of no network there (unknown-vni, malformed). With -o wide, what
the network's ports and the other nodes have sent, and were sent: packets (and bytes).`,
		Example: `  weft status
  weft status --local -o json | jq '.[].networks[] | {network, differs, drops}'`,
	}
	cmd.Flags().BoolVar(&local, "local", false, "only this host, without asking the servers")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		nodes, hold, err := a.nodeStates(cmd.Context(), local)
		if err != nil {
			return err
		}
		if format.Structured() {
			return output.List(a.stdout, *format, nodes, nil)
		}
		return a.printStatus(*format, nodes, hold)
	}
	return cmd
}

// nodeStates asks this host's agent and the servers; one answer is enough. hold is
// why the servers allocate nothing, if they do not.
func (a *app) nodeStates(ctx context.Context, local bool) (nodes []nodeState, hold string, err error) {
	report, agentErr := a.agent().Status(ctx)
	if agentErr == nil {
		nodes = append(nodes, nodeState{
			Node: report.Node, Local: true, Version: report.Version, Server: &report.Server, FollowsFile: report.FollowsFile,
			Hold: report.Hold, Held: report.Held, Networks: report.Networks, Tunnels: report.Tunnels, Drops: report.Drops,
		})
	}
	if local || report.FollowsFile {
		return nodes, "", agentErr
	}
	others, hold, serverErr := a.reported(ctx, report.Node)
	if agentErr != nil && serverErr != nil {
		return nil, "", agentErr
	}
	if err := cmp.Or(a.without("this host", agentErr), a.without("other nodes", serverErr)); err != nil {
		return nil, "", err
	}
	nodes = append(nodes, others...)
	slices.SortFunc(nodes, func(a, b nodeState) int { return strings.Compare(string(a.Node), string(b.Node)) })
	return nodes, hold, nil
}

// without tells why a part of the answer is missing, if it is.
func (a *app) without(what string, why error) error {
	if why == nil {
		return nil
	}
	return a.warn("without %s: %v", what, why)
}

// reported is what the nodes told the servers, but for one, and why the servers
// allocate nothing.
func (a *app) reported(ctx context.Context, without overlay.NodeName) (nodes []nodeState, hold string, err error) {
	server, err := a.server(ctx)
	if err != nil {
		return nil, "", err
	}
	all, err := list(ctx, server, listing{kinds: []overlay.Kind{overlay.KindNode}})
	if err != nil {
		return nil, "", err
	}
	for _, r := range all {
		n, ok := r.(*overlay.Node)
		if !ok || n.Name == string(without) {
			continue
		}
		nodes = append(nodes, nodeState{
			Node: overlay.NodeName(n.Name), Version: n.Status.Version, Seen: n.Status.Seen,
			Networks: n.Status.Networks, Tunnels: n.Status.Tunnels, Drops: n.Status.Drops,
		})
	}
	status, err := server.Status(ctx)
	return nodes, status.Hold, err
}
