package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/cli/output"
)

func newPlan(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change on this host now",
		Long: `Show what the agent would change on this host if it compared everything now. An
agent that runs has nothing to do but for moments.`,
		Example: `  weft plan
  weft plan -o json | jq length`,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ops, err := a.agent().Plan(cmd.Context())
		if err != nil {
			return err
		}
		if len(ops) == 0 && !format.Structured() {
			_, err := fmt.Fprintln(a.stdout, "nothing to change: this host matches")
			return err
		}
		return output.Lines(a.stdout, *format, ops)
	}
	return cmd
}
