package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

// tunnelStats is what weft tunnel stats shows of a tunnel.
type tunnelStats struct {
	Network               overlay.NetworkName `json:"network,omitempty"`
	Tunnel                overlay.TunnelName  `json:"tunnel"`
	Node                  overlay.NodeName    `json:"node"`
	State                 string              `json:"state"`
	RoundTripMicroseconds int                 `json:"roundTripMicroseconds,omitempty"`
	// Traffic is what came from the peer and what was sent to it; nil: it is not counted.
	Traffic *overlay.Traffic `json:"traffic,omitempty"`
	Drops   overlay.Drops    `json:"drops,omitempty"`
}

func newTunnelStats(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stats [NAME...]",
		Short: "Show what tunnels' peers have sent, and what was dropped",
		Long: `Show what came from the peers of tunnels (FROM) and what was sent to them (TO):
packets, and bytes without what is around them in the tunnel. Packets that the host has
not yet cut into several for the wire count once. A dash is nothing, "not counted" what
the plane does not count, or what the node has not told. Of this host the agent tells
what it is now, of others what they reported last.`,
		Example: `  weft tunnel stats
  weft tunnel stats neta -o json | jq '.[].traffic'`,
		ValidArgsFunction: a.completeTunnels,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys, err := tunnelKeys(cmd, args)
		if err != nil {
			return err
		}
		server, err := a.source(cmd.Context())
		if err != nil {
			return err
		}
		var tunnels []overlay.Resource
		if len(keys) == 0 {
			tunnels, err = list(cmd.Context(), server, listing{kinds: []overlay.Kind{overlay.KindTunnel}})
		}
		for _, k := range keys {
			r, getErr := server.Get(cmd.Context(), k)
			if getErr != nil {
				return getErr
			}
			tunnels = append(tunnels, r)
		}
		if err != nil {
			return err
		}
		states, err := a.tunnelStates(cmd.Context(), server, tunnels)
		if err != nil {
			return err
		}
		return output.List(a.stdout, *format, statsOf(states), tunnelStatsColumns())
	}
	return cmd
}

func statsOf(states []tunnelState) []tunnelStats {
	all := []tunnelStats{}
	for _, s := range states {
		one := tunnelStats{Network: s.Network, Tunnel: overlay.TunnelName(s.Name), Node: s.Spec.Node, State: stateOf(s.Status)}
		if r := s.Status; r != nil {
			one.RoundTripMicroseconds, one.Traffic, one.Drops = r.RoundTripMicroseconds, r.Traffic, r.Drops
		}
		all = append(all, one)
	}
	return all
}

func tunnelStatsColumns() []output.Column[tunnelStats] {
	type s = tunnelStats
	return []output.Column[s]{
		{Title: "Name", Cell: func(s s) string {
			return nameOf(overlay.Key{Kind: overlay.KindTunnel, Network: s.Network, Name: string(s.Tunnel)})
		}},
		{Title: "Node", Cell: func(s s) string { return string(s.Node) }},
		{Title: "State", Cell: func(s s) string { return s.State }},
		{Title: "From", Cell: func(s s) string { return fromText(s.Traffic) }},
		{Title: "To", Cell: func(s s) string { return toText(s.Traffic) }},
		{Title: "Round trip", Cell: func(s s) string { return roundTripText(s.RoundTripMicroseconds) }},
		{Title: "Dropped", Cell: func(s s) string { return s.Drops.String() }},
	}
}

// roundTripText is "0.412 ms".
func roundTripText(us int) string {
	if us == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%03d ms", us/1000, us%1000)
}
