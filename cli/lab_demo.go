package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weft/lab/demo"
)

func newLabDemo(a *app) *cobra.Command {
	var keep bool
	var name string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show three hosts, three networks, and who reaches whom",
		Long: `Demo starts three hosts in network namespaces, two on one segment and one behind
a router, runs weftd on each, makes a bridged and a routed network and a second
tenant with the same subnets, and shows who reaches whom and how. It takes about
ten seconds and removes everything at its end, also when it is interrupted.`,
		Example: `  weft lab demo
  weft lab demo --keep --name mine`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave everything running, and say how to look around")
	cmd.Flags().StringVar(&name, "name", "demo", "`NAME` of the lab; several can run at once")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := rootOnly("weft lab demo"); err != nil {
			return err
		}
		program, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find the folder of weft and weftd: %w", err)
		}
		return demo.Run(cmd.Context(), demo.Options{Bin: filepath.Dir(program), Out: a.stdout, Keep: keep, Lab: name, Sudo: os.Getenv("SUDO_USER") != ""})
	}
	return cmd
}
