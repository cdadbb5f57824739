package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// exitDiffers is what diff ends with when something differs, and exitTrouble
// when it failed without a code of its own: as diff(1) does.
const (
	exitDiffers = 1
	exitTrouble = 2
)

func newDiff(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what applying a file would change in the store",
		Long: `Show, field by field, what "weft apply" of the file would change in the store; lines
that begin with - are stored, with + are declared. Nothing is changed.

It ends with 0 when nothing differs, with 1 when something does, and with 2 or more
when it could not tell.`,
		Example: `  weft diff -f examples/bridged.yaml
  weft diff -f net.yaml || weft apply -f net.yaml`,
	}
	fileFlag(cmd, &file)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		differs, err := a.diff(cmd, file)
		switch {
		case err != nil && exitCode(err) == exitFailure:
			return &codedError{exitTrouble, err}
		case err != nil:
			return err
		case differs:
			return exitStatus(exitDiffers)
		}
		return nil
	}
	return cmd
}

func (a *app) diff(cmd *cobra.Command, file string) (differs bool, err error) {
	documents, err := a.readManifest(file)
	if err != nil {
		return false, err
	}
	server, err := a.server(cmd.Context())
	if err != nil {
		return false, err
	}
	changes, err := prepare(cmd.Context(), server, documents)
	if err != nil {
		return false, err
	}
	for _, c := range changes {
		if c.empty() {
			continue
		}
		differs = true
		text, err := difference(c)
		if err != nil {
			return false, err
		}
		if _, err := io.WriteString(a.stdout, text); err != nil {
			return false, err
		}
	}
	return differs, nil
}
