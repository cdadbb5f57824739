package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"weft/overlay"
)

func newApply(a *app) *cobra.Command {
	var file, local string
	cmd := &cobra.Command{
		Use:   "apply -f FILE | --local FILE",
		Short: "Create or change what a file declares: networks, tunnels, endpoints",
		Long: `Create or change the networks, tunnels and endpoints that a YAML file declares, and
say for each whether it was created, configured or unchanged. FILE may hold several
documents; "-" is standard input. Applying it again changes nothing.

Everything is checked before the first resource is written. Unknown fields, fields
given twice and values of the wrong type are refused with their line. What the file
leaves out gets its default, but what a server chose (VNI, MAC, addresses) stays.
Resources that the file does not name stay as they are.

--local needs no server, token or store: this host is made what the file declares
(tunnels, networks with VNIs and peers, endpoints with addresses) and nothing else, and
kept so, over a reboot too where deploy/weftd-local.service is installed. weft down
undoes it.`,
		Example: `  weft apply -f examples/bridged.yaml
  weft apply --local tunnels.yaml
  weft get network blue -o yaml | sed 's/bum: replicate/bum: none/' | weft apply -f -`,
	}
	fileFlag(cmd, &file)
	cmd.Flags().StringVar(&local, "local", "", "have this host alone be what `FILE` declares, without a server; - is standard input")
	wantFile := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case local == "":
			return wantFile(cmd, args)
		case file != "":
			return usagef(cmd, "-f declares to the servers, --local to this host alone: give one of them")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if local != "" {
			return a.applyLocal(cmd.Context(), local)
		}
		documents, err := a.readManifest(file)
		if err != nil {
			return err
		}
		server, err := a.server(cmd.Context())
		if err != nil {
			return err
		}
		changes, err := prepare(cmd.Context(), server, documents)
		if err != nil {
			return err
		}
		var done []overlay.Key
		for _, c := range changes {
			did, err := write(cmd.Context(), server, c)
			if err != nil {
				return fmt.Errorf("%s: %w; %s", c.where, err, progress("written", done, len(changes)))
			}
			if _, err := fmt.Fprintf(a.stdout, "%s %s\n", c.declared.Key(), did); err != nil {
				return err
			}
			if did == "unchanged" {
				continue
			}
			done = append(done, c.declared.Key())
			if n, ok := c.desired.(*overlay.Network); ok {
				if err := a.warnOfSegments(cmd.Context(), server, n); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return cmd
}

// fileFlag gives -f to a command that cannot do without.
func fileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "filename", "f", "", "the `FILE` with the resources, in YAML or JSON; - is standard input")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef(cmd, "which file? give -f FILE, or -f - for standard input")
		}
		return nil
	}
}
