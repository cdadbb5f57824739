package cli

import (
	"os"

	"github.com/spf13/cobra"
)

func newLab(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab COMMAND",
		Short: "Try Weft on this machine alone, in network namespaces",
		Long: `A lab is a small network of hosts on this machine, made of network namespaces.
Nothing of it touches the machine's own network.`,
		Example: `  weft lab demo
  weft lab demo --keep
  weft lab ls
  weft lab clean demo`,
	}
	cmd.AddCommand(newLabDemo(a), newLabLs(a), newLabClean(a))
	return cmd
}

// rootOnly refuses what makes network namespaces, if others than root ask for it.
func rootOnly(what string) error { return rootFor(what, "makes network namespaces") }

// rootFor refuses what only root may do before it is half done.
func rootFor(what, does string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return withCode(exitRefused, "%s %s, which only root may; run it with sudo", what, does)
}
