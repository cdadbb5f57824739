package cli

import (
	"github.com/spf13/cobra"

	"weft/overlay"
)

func newTokenLs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:        "ls",
		Short:      "List the tokens",
		Long:       `List the tokens that were created, without their secrets, which nobody keeps.`,
		Example:    "  weft token ls\n  weft token ls -o json",
		SuggestFor: []string{"list"},
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.listResources(cmd.Context(), *format, listing{kinds: []overlay.Kind{overlay.KindToken}})
	}
	return cmd
}
