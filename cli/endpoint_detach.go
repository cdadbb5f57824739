package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/api/agentapi"
	"weft/overlay"
)

func newEndpointDetach(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "detach NETWORK/NAME...",
		Short: "Detach endpoints of this host",
		Long: `Detach endpoints of this host from their networks. The command returns when
nothing of them is left here. "weft delete endpoint" detaches one of another host.`,
		Example: `  weft endpoint detach blue/web
  weft endpoint detach blue/web blue/db`,
		SuggestFor:        []string{"rm", "remove", "delete"},
		ValidArgsFunction: a.completeLocalEndpoint,
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := endpointKeys(cmd, args)
			if err != nil {
				return err
			}
			for _, k := range keys {
				r := agentapi.DetachRequest{Network: k.Network, Name: overlay.EndpointName(k.Name)}
				if err := a.agent().Detach(cmd.Context(), r); err != nil {
					return err
				}
				if _, err := fmt.Fprintf(a.stdout, "%s detached\n", k); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
