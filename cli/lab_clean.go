package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"weft/lab"
	"weft/store"
)

func newLabClean(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clean NAME",
		Short: "Remove a lab: its processes, namespaces and files",
		Long: `Clean ends the processes that live in a lab's namespaces, and removes the
namespaces and the lab's folder, whoever made the lab.`,
		Example: "  weft lab clean demo",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := rootOnly("weft lab clean"); err != nil {
			return err
		}
		names, err := lab.List()
		if err != nil {
			return err
		}
		if !slices.Contains(names, args[0]) {
			return fmt.Errorf("lab %s: %w; weft lab ls lists those there are", args[0], store.ErrNotFound)
		}
		if err := lab.Clean(args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "lab %s removed\n", args[0])
		return err
	}
	return cmd
}
