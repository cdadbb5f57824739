package cli

import (
	"github.com/spf13/cobra"

	"weft/cli/output"
	"weft/overlay"
)

func newExplain(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [NETWORK]",
		Short: "Print the commands that would build networks and tunnels by hand",
		Long: `Print the ip, bridge and other commands that would build a network on this host by
hand: in an empty host they give the same state of the kernel as Weft does. Without
a name all networks of this host are explained, and all tunnels that stand alone.
Nothing is run. Of networks and tunnels on the eBPF plane, where programs do the work,
they are what the kernel plane does, and say so.`,
		Example: `  weft explain blue
  weft explain > build.sh`,
		ValidArgsFunction: a.completeLocalNetwork,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var network overlay.NetworkName
		if len(args) > 0 {
			network = overlay.NetworkName(args[0])
		}
		commands, err := a.agent().Explain(cmd.Context(), network)
		if err != nil {
			return err
		}
		return output.Lines(a.stdout, *format, commands)
	}
	return cmd
}
