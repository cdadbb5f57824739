package cli

import (
	"github.com/spf13/cobra"

	"weft/overlay"
)

func newNodeRm(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove nodes that are gone for good",
		Long: `Remove nodes that are gone for good, with their blocks. One that still has endpoints
or tunnels is refused: remove those first or, when the host will not come back, use
--force.
The servers refuse a removed node from then on, also if its agent still runs: the
other nodes drop its endpoints, and its host keeps what it has until "weft down" is
run there. It comes back as a new node by joining again with a token; one that is
still good ("weft token ls") will do.`,
		Example: `  weft node rm a
  weft node rm a --force`,
		SuggestFor:        []string{"remove", "delete"},
		ValidArgsFunction: a.completeNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remove(cmd.Context(), keysOf(overlay.KindNode, args), force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "remove its endpoints and tunnels too")
	return cmd
}
