package cli

import (
	"github.com/spf13/cobra"

	"weft/overlay"
)

func newTokenRm(a *app) *cobra.Command {
	var certificates bool
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Revoke tokens",
		Long: `Revoke tokens: nobody joins or logs in with them any more.

With --certificates the servers also refuse whoever has logged in with them, at once,
and however long ago the tokens themselves were removed. Nodes have certificates in
their own names: "weft node rm" revokes those.`,
		Example:           "  weft token rm t-4f2k9q\n  weft token rm anna --certificates",
		SuggestFor:        []string{"remove", "delete", "revoke"},
		ValidArgsFunction: a.completeTokens,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remove(cmd.Context(), keysOf(overlay.KindToken, args), certificates)
		},
	}
	cmd.Flags().BoolVar(&certificates, "certificates", false, "also revoke the certificates that people got with them")
	return cmd
}
