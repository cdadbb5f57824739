package cli

import (
	"github.com/spf13/cobra"

	"weft/overlay"
)

func newTokenRm(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "rm NAME...",
		Short:             "Revoke tokens",
		Long:              `Revoke tokens: nobody joins or logs in with them any more.`,
		Example:           "  weft token rm t-4f2k9q",
		SuggestFor:        []string{"remove", "delete", "revoke"},
		ValidArgsFunction: a.completeTokens,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.remove(cmd.Context(), keysOf(overlay.KindToken, args), false)
		},
	}
}
