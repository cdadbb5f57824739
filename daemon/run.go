// Package daemon is weftd's command line: it turns flags and environment into
// the options of a server, an agent, or both, and runs them until told to stop.
// Assembly happens in packages server and agent; nothing is decided here but defaults.
package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Run runs weftd with the arguments and returns its exit code: 0 when ctx
// ended it, 1 when it could not go on, 2 when it was called wrongly, 3 when it
// is not root.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	d := &daemon{stdout: stdout, stderr: stderr}
	root := d.command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "weftd: %s\n", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	switch {
	case !d.began:
		return 2
	case d.notRoot:
		return 3
	}
	return 1
}

type daemon struct {
	config         config
	stdout, stderr io.Writer
	// began: flags were understood, so that an error is not one of usage.
	began, notRoot bool
}

func (d *daemon) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "weftd",
		Short: "Weft's daemon: weaves this host into virtual networks",
		Long: `Weftd alone runs a server (with its store) and this node's agent: the first
host needs nothing else. Further hosts run "weftd agent --join TOKEN".

Every flag has an environment variable: WEFT_STATE_DIR for --state-dir, and so on.
Several daemons on one machine need only their own network namespace, --state-dir,
--run-dir and --underlay.`,
		Example: `  weftd                              # the first host: server and agent
  weftd agent --join weft1.…         # every other host
  weftd server --etcd-endpoints https://10.0.0.5:2379 --etcd-ca ca.pem`,
		Args:          noArguments,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.both(cmd.Context()) },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	d.config.hostFlags(root.PersistentFlags())
	d.config.agentFlags(root.Flags())
	d.config.serverFlags(root.Flags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; %s --help lists the flags", flagError(err), cmd.CommandPath())
	})
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return d.begin(cmd) }
	root.AddCommand(d.serverCommand(), d.agentCommand(), d.localCommand(), d.downCommand(), d.forwardCommand(), versionCommand())
	return root
}

func (d *daemon) serverCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "server", Short: "Run the server alone: the API over the store", Args: noArguments,
		Example: "  weftd server --listen 192.0.2.11:7411",
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.serve(cmd.Context()) },
	}
	d.config.serverFlags(c.Flags())
	// A server has a name too, in its certificate.
	c.Flags().StringVar(&d.config.node, "node", "", "this host's name (default: the host's)")
	c.Flags().StringSliceVar(&d.config.underlay, "underlay", nil, "this host's underlay address, or one of each family (default: the default routes' source addresses)")
	return c
}

func (d *daemon) agentCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "agent", Short: "Run the agent alone: make this node match what the servers say", Args: noArguments,
		Example: "  weftd agent --join weft1.…\n  WEFT_JOIN=weft1.… weftd agent --underlay 192.0.2.12",
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.follow(cmd.Context()) },
	}
	d.config.agentFlags(c.Flags())
	return c
}

func (d *daemon) downCommand() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Remove all that Weft made on this host", Args: noArguments,
		Long: `Down removes every link, namespace, route, filter and setting that Weft made on
this host, and nothing else. It needs no server, is refused while an agent runs (one of weft apply
--local is ended, and what was declared is forgotten), and may be repeated. The node's keys and its place in the store stay: weftd agent brings it back.`,
		Example: "  weftd down",
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.down(cmd.Context()) },
	}
}

// forwardCommand is for agents alone to run.
func (d *daemon) forwardCommand() *cobra.Command {
	return &cobra.Command{
		Use: "forward", Short: "Forward for the user plane, until it is told to end", Args: noArguments, Hidden: true,
		Long: `Forward carries the packets of networks and tunnels on the user plane. An agent starts it
when there is something to carry, and starts it again when it ends; it goes on when the
agent ends. What there is to do is in its run directory.`,
		Example: "  weftd forward --run-dir /run/weft",
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.forward(cmd.Context()) },
	}
}

// begin reads the environment, checks the flags, and refuses to go on without root.
func (d *daemon) begin(cmd *cobra.Command) error {
	if cmd.Name() == "version" {
		d.began = true
		return nil
	}
	if err := environment(cmd.Flags()); err != nil {
		return err
	}
	if err := d.config.complete(); err != nil {
		return err
	}
	if _, err := d.config.level(); err != nil {
		return err
	}
	d.began = true
	if os.Geteuid() != 0 {
		d.notRoot = true
		return fmt.Errorf("weftd makes links and namespaces, which only root may; run it as root or with sudo")
	}
	return nil
}

func (d *daemon) logger() *slog.Logger {
	level, err := d.config.level()
	if err != nil { // begin has checked it
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(d.stderr, &slog.HandlerOptions{Level: level}))
}
