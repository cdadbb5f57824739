package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"weft/overlay"
)

func newGet(a *app) *cobra.Command {
	var network, node string
	cmd := &cobra.Command{
		Use:   "get KIND [NAME...]",
		Short: "Print resources as the store has them",
		Long: `Print resources as the store has them: all of some kinds, or those with the given
names. KIND is node, network, block, endpoint, tunnel, token or revocation; blocks,
endpoints and tunnels of a network are named NETWORK/NAME. What is printed as yaml or
json can be applied again.`,
		Example: `  weft get network,endpoint -o yaml > weft.yaml
  weft get endpoint --network blue --node a
  weft get endpoint blue/web -o json`,
		ValidArgsFunction: a.completeKindAndName,
	}
	cmd.Flags().StringVar(&network, "network", "", "only what belongs to the network of that `NAME`")
	cmd.Flags().StringVar(&node, "node", "", "only what is on the node of that `NAME`")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kinds, err := parseKinds(cmd, args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			l := listing{kinds: kinds, network: overlay.NetworkName(network), node: overlay.NodeName(node)}
			return a.listResources(cmd.Context(), *format, l)
		}
		if network != "" || node != "" {
			return usagef(cmd, "--network and --node are for lists; leave out the names or the flags")
		}
		keys, err := parseKeys(cmd, kinds, args[1:])
		if err != nil {
			return err
		}
		server, err := a.source(cmd.Context())
		if err != nil {
			return err
		}
		var found []overlay.Resource
		for _, k := range keys {
			r, err := server.Get(cmd.Context(), k)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return a.printResources(*format, kinds, found)
	}
	return cmd
}

func parseKinds(cmd *cobra.Command, text string) ([]overlay.Kind, error) {
	var kinds []overlay.Kind
	for name := range strings.SplitSeq(text, ",") {
		k, err := overlay.ParseKind(name)
		if err != nil {
			return nil, usagef(cmd, "%v", err)
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// parseKeys reads the names of resources of one kind.
func parseKeys(cmd *cobra.Command, kinds []overlay.Kind, names []string) ([]overlay.Key, error) {
	if len(kinds) > 1 {
		return nil, usagef(cmd, "names are of one kind; ask for each kind by itself")
	}
	if !kinds[0].Networked() {
		return keysOf(kinds[0], names), nil
	}
	if kinds[0].StandsAlone() {
		return tunnelKeys(cmd, names)
	}
	keys, err := endpointKeys(cmd, names)
	for i := range keys {
		keys[i].Kind = kinds[0]
	}
	return keys, err
}
