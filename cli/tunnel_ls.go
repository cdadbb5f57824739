package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newTunnelLs(a *app) *cobra.Command {
	var node string
	cmd := &cobra.Command{
		Use:   "ls [NETWORK]",
		Short: "List tunnels, and how they are",
		Long: `List tunnels, all or those of a network, and how they are: up, down, flapping (down and
up again too often of late), unresolved (the remote's name has no address), or unknown,
when the node has not told.`,
		Example: `  weft tunnel ls
  weft tunnel ls --node a -o wide
  weft tunnel ls -o json | jq '.[] | select(.status.state != "up")'`,
		SuggestFor:        []string{"list"},
		ValidArgsFunction: a.completeNetwork,
	}
	cmd.Flags().StringVar(&node, "node", "", "only those on the node of that `NAME`")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := a.source(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{kinds: []overlay.Kind{overlay.KindTunnel}, network: overlay.NetworkName(first(args...)), node: overlay.NodeName(node)}
		if err := knownNames(cmd.Context(), server, l); err != nil {
			return err
		}
		tunnels, err := list(cmd.Context(), server, l)
		if err != nil {
			return err
		}
		states, err := a.tunnelStates(cmd.Context(), server, tunnels)
		if err != nil {
			return err
		}
		return output.List(a.stdout, *format, states, a.tunnelStateColumns())
	}
	return cmd
}

func (a *app) tunnelStateColumns() []output.Column[tunnelState] {
	type s = tunnelState
	return []output.Column[s]{
		{Title: "Name", Cell: func(s s) string { return s.Name }},
		{Title: "Node", Cell: func(s s) string { return string(s.Spec.Node) }},
		{Title: "Mode", Cell: func(s s) string { return string(s.Spec.Mode) }},
		{Title: "Local", Cell: func(s s) string { return localText(s.Spec) }},
		{Title: "Remote", Cell: remoteOf},
		{Title: "State", Cell: func(s s) string { return stateOf(s.Status) }},
		{Title: "Since", Wide: true, Cell: func(s s) string {
			if s.Status == nil {
				return ""
			}
			return output.Since(a.now(), s.Status.Since)
		}},
		{Title: "Plane", Cell: tunnelPlane},
		{Title: "Network", Cell: func(s s) string { return string(s.Network) }},
		{Title: "Device", Wide: true, Cell: func(s s) string { return s.Spec.Device }},
		{Title: "Addresses", Wide: true, Cell: func(s s) string { return output.Join(s.Spec.Addresses) }},
	}
}
