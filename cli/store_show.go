package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
)

func newStoreShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show whether the store is relied upon, and what nodes told when it was not",
		Example: `  weft store show
  weft store show -o json`,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		now, err := server.Standing(cmd.Context())
		if err != nil {
			return err
		}
		return output.One(a.stdout, *format, now, a.standingDetails())
	}
	return cmd
}
