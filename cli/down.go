package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func newDown(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove all that Weft made on this host",
		Long: `Remove all that Weft made on this host: links, namespaces, routes, filters and
settings, and nothing else. It runs "weftd down", which needs neither a running
daemon nor a server, with the same directories. Stop the daemon before: while it
runs, which would make everything again, this is refused. On a host that follows a file
(weft apply --local) the daemon is ended, and what was declared is forgotten.`,
		Example: `  systemctl stop weftd && weft down
  weft down --run-dir /run/weft2 --state-dir /var/lib/weft2`,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.weftd(cmd.Context(), a.stdin, "down")
	}
	return cmd
}

// weftd runs the daemon's program with this command's directories, and ends with
// its exit code.
func (a *app) weftd(ctx context.Context, stdin io.Reader, command ...string) error {
	program, err := findWeftd()
	if err != nil {
		return err
	}
	run := exec.CommandContext(ctx, program, append(command, "--state-dir", a.statePath(), "--run-dir", a.runPath())...)
	run.Stdin, run.Stdout, run.Stderr = stdin, a.stdout, a.stderr
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	err = run.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Exited() {
		return exitStatus(ended.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("run %s %s: %w", program, strings.Join(command, " "), err)
	}
	return nil
}

// findWeftd prefers the program beside this one to those in PATH: they are of
// one version.
func findWeftd() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find weftd: %w", err)
	}
	beside := filepath.Join(filepath.Dir(self), "weftd")
	if _, err := exec.LookPath(beside); err == nil {
		return beside, nil
	}
	program, err := exec.LookPath("weftd")
	if err != nil {
		return "", fmt.Errorf("find weftd: it is neither beside %s nor in PATH; install it there", self)
	}
	return program, nil
}
