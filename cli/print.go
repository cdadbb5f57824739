package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/cli/output"
)

// warn tells of something that ends nothing.
func (a *app) warn(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stderr, "weft: "+format+"\n", args...)
	return err
}

// outputFlag gives -o to a command that reads.
func outputFlag(cmd *cobra.Command) *output.Format {
	format := output.Table
	cmd.Flags().VarP(&format, "output", "o", "table, wide (a table with more columns), json or yaml")
	// It fails only for a flag that is not there.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return &format
}
