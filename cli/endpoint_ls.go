package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newEndpointLs(a *app) *cobra.Command {
	var (
		local bool
		node  string
	)
	cmd := &cobra.Command{
		Use:   "ls [NETWORK]",
		Short: "List endpoints",
		Long: `List the endpoints of a network or of all, stations behind bridges among them.
With --local this host's agent is asked, which takes no credentials and knows of
this host's endpoints alone.`,
		Example: `  weft endpoint ls
  weft endpoint ls blue --node b -o wide
  weft endpoint ls --local`,
		SuggestFor:        []string{"list"},
		ValidArgsFunction: a.completeNetwork,
	}
	cmd.Flags().StringVar(&node, "node", "", "only those on the node of that `NAME`")
	cmd.Flags().BoolVar(&local, "local", false, "only those on this host, as its agent knows them")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l := listing{kinds: []overlay.Kind{overlay.KindEndpoint}, network: overlay.NetworkName(first(args...)), node: overlay.NodeName(node)}
		if !local {
			return a.listResources(cmd.Context(), *format, l)
		}
		if node != "" {
			return usagef(cmd, "--local and --node exclude each other: the agent knows of its own node alone")
		}
		all, err := a.agent().Endpoints(cmd.Context(), l.network)
		if err != nil {
			return err
		}
		return output.List(a.stdout, *format, all, a.endpointColumns())
	}
	return cmd
}
