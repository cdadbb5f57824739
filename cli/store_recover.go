package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weft/api"
	"weft/cli/output"
)

func newStoreRecover(a *app) *cobra.Command {
	var (
		nodes, accept bool
		wait          time.Duration
	)
	cmd := &cobra.Command{
		Use:   "recover (--from-nodes | --accept)",
		Short: "Decide what becomes of a store that was wiped or restored",
		Long: `Decide what becomes of a store that was wiped or restored. This needs an administrator's
certificate. Servers allocate again after either, and nodes follow, without a restart.

With --from-nodes every node puts back its own endpoints and blocks and the networks they
are in, and then what it knows of nodes that have not told. What an older copy has of a
node's own, and the node does not, is removed. Nothing is overwritten that somebody else
has: such conflicts are printed, and what lost is detached on its node. It ends when all
nodes that are known of have told, or after --wait. A node that comes later still puts
back its own. Tokens are not put back, nor networks that no node is in: make them again.

With --accept the store is taken as it is, and nodes remove what it lacks.`,
		Example: `  weft store recover --from-nodes
  weft store recover --from-nodes --wait 2m
  weft store recover --accept`,
		SuggestFor: []string{"restore", "repair"},
	}
	flags := cmd.Flags()
	flags.BoolVar(&nodes, "from-nodes", false, "put back what the nodes have")
	flags.BoolVar(&accept, "accept", false, "take the store as it is; nodes remove what it lacks")
	flags.DurationVar(&wait, "wait", 30*time.Second, "how long nodes have for telling")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case nodes == accept:
			return usagef(cmd, "want either --from-nodes or --accept")
		case accept && cmd.Flags().Changed("wait"):
			return usagef(cmd, "--wait is for --from-nodes")
		case wait <= 0:
			return usagef(cmd, "--wait %v: want a length of time such as 90s, 30m or 24h", wait)
		}
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		request := api.RecoverRequest{From: "store"}
		if nodes {
			request = api.RecoverRequest{From: "nodes", Wait: api.Duration(wait)}
			if _, err := fmt.Fprintf(a.stderr, "weft: waiting for the nodes to tell, at most %v\n", wait); err != nil {
				return err
			}
		}
		now, err := server.Recover(cmd.Context(), request)
		if err != nil {
			return err
		}
		return output.One(a.stdout, *format, now, a.standingDetails())
	}
	return cmd
}
