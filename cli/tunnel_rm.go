package cli

import (
	"github.com/spf13/cobra"
)

func newTunnelRm(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove tunnels",
		Long: `Remove tunnels, with their interfaces and routes. All names are looked up before the
first tunnel is removed. One of a network is called NETWORK/NAME.`,
		Example:           "  weft tunnel rm neta\n  weft tunnel rm neta green/site",
		SuggestFor:        []string{"remove", "delete", "del"},
		ValidArgsFunction: a.completeTunnels,
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := tunnelKeys(cmd, args)
			if err != nil {
				return err
			}
			return a.remove(cmd.Context(), keys, false)
		},
	}
}
