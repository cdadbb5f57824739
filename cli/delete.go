package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"weft/overlay"
	"weft/store"
)

func newDelete(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "delete [KIND] [NAME...]",
		Short: "Delete resources by name, or those that a file declares",
		Long: `Delete resources by name, or those that a file declares. By name they have to exist;
of a file those that are absent are passed over. Endpoints, blocks and tunnels of a
network are named NETWORK/NAME. What other resources need is refused.`,
		Example: `  weft delete endpoint blue/web
  weft delete network blue green
  weft delete -f examples/bridged.yaml`,
		ValidArgsFunction: a.completeKindAndName,
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "delete what the `FILE` declares; - is standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case file != "" && len(args) > 0:
			return usagef(cmd, "want names or -f, not both")
		case file != "":
			return a.deleteDeclared(cmd, file)
		case len(args) == 0:
			return usagef(cmd, "what? give KIND and NAME, or -f FILE")
		}
		kinds, err := parseKinds(cmd, args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			return usagef(cmd, "which %s? give its NAME", args[0])
		}
		keys, err := parseKeys(cmd, kinds, args[1:])
		if err != nil {
			return err
		}
		return a.remove(cmd.Context(), keys, false)
	}
	return cmd
}

// deleteDeclared deletes what a manifest declares, endpoints before networks.
func (a *app) deleteDeclared(cmd *cobra.Command, file string) error {
	documents, err := a.readManifest(file)
	if err != nil {
		return err
	}
	server, err := a.server(cmd.Context())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	changes, err := compare(ctx, server, documents)
	if err != nil {
		return err
	}
	var done []overlay.Key
	for _, c := range slices.Backward(changes) {
		key, did := c.declared.Key(), "absent"
		if c.current != nil {
			did = "removed"
			if _, _, err := server.Update(ctx, store.Change{Delete: key, Expect: store.Any}); err != nil {
				return fmt.Errorf("%s: %w; %s", c.where, err, progress("removed", done, len(changes)))
			}
			done = append(done, key)
		}
		if _, err := fmt.Fprintf(a.stdout, "%s %s\n", key, did); err != nil {
			return err
		}
	}
	return nil
}
