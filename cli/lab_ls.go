package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/lab"
)

func newLabLs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List the labs on this machine",
		Example: "  weft lab ls",
		Args:    cobra.NoArgs,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		names, err := lab.List()
		if err != nil {
			return err
		}
		return output.List(a.stdout, *format, names, []output.Column[string]{
			{Title: "Name", Cell: func(s string) string { return s }},
		})
	}
	return cmd
}
