package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/dataplane"
	"weft/overlay"
)

// view gives a command that shows a part of a network as this host has it.
func view[T any](a *app, cmd *cobra.Command, part func(dataplane.NetworkView) []T, columns []output.Column[T]) *cobra.Command {
	cmd.ValidArgsFunction = a.completeLocalNetwork
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := a.agent().View(cmd.Context(), overlay.NetworkName(args[0]))
		if err != nil {
			return err
		}
		return output.List(a.stdout, *format, part(v), columns)
	}
	return cmd
}
