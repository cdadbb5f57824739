package cli

import (
	"github.com/spf13/cobra"

	"weft/overlay"
)

func newNetworkRm(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove networks",
		Long: `Remove networks. One that still has endpoints or tunnels is refused: detach and
remove those first.
All names are looked up before the first network is removed.`,
		Example:           "  weft network rm blue\n  weft network rm blue green",
		SuggestFor:        []string{"remove", "delete"},
		ValidArgsFunction: a.completeNetworks,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remove(cmd.Context(), keysOf(overlay.KindNetwork, args), false)
		},
	}
}
