package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
)

// outputFlag gives -o to a command that reads.
func outputFlag(cmd *cobra.Command) *output.Format {
	format := output.Table
	cmd.Flags().VarP(&format, "output", "o", "table, wide (a table with more columns), json or yaml")
	// It fails only for a flag that is not there.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return &format
}
