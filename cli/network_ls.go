package cli

import (
	"github.com/spf13/cobra"

	"weft/overlay"
)

func newNetworkLs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:        "ls",
		Short:      "List the networks",
		Example:    "  weft network ls\n  weft network ls -o wide",
		SuggestFor: []string{"list"},
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.listResources(cmd.Context(), *format, listing{kinds: []overlay.Kind{overlay.KindNetwork}})
	}
	return cmd
}
