package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is what commands work with besides their own flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time

	// runDir, stateDir and credentials are the global flags; empty when they
	// are not given, see the methods in paths.go.
	runDir, stateDir, credentials string

	// asNode: the credentials in use are the node's own.
	asNode bool

	// atEnd is done when the command has ended.
	atEnd []func()
	// helpErr is why help could not be printed; cobra's help returns nothing.
	helpErr error
}

// Run runs weft with the given arguments (without the program's name) and
// returns its exit code. It ends early when ctx does.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.Getenv, now: time.Now}
	root := newRoot(a)
	root.SetArgs(args)
	err := a.advise(ctx, root.ExecuteContext(ctx))
	for _, f := range a.atEnd {
		f()
	}
	err = cmp.Or(err, a.helpErr)
	var status exitStatus
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case a.asNode && exitCode(err) == exitRefused && !hinted(err):
		err = fmt.Errorf("%w; a node's own credentials read alone: log in as an administrator (weft login TOKEN)", err)
	case ctx.Err() != nil:
		err = withCode(exitFailure, "interrupted: %w", err)
	}
	fmt.Fprintln(stderr, "weft: "+strings.Join(strings.Fields(err.Error()), " "))
	return exitCode(err)
}

// newRoot makes the tree of all commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "weft COMMAND",
		Short: "Virtual networks over many Linux hosts",
		Long: `weft weaves many Linux hosts into virtual networks.

It speaks to Weft's servers, with a credentials file, and to the agent on this
host, through its socket: attach and detach, plan, explain, link, fdb, neigh,
route, traffic and drops are the agent's and need root; the rest is the servers'.`,
		Example: `  weft network create blue --subnet 10.7.0.0/24
  weft endpoint attach blue --netns web
  weft status`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, a.helpErr = io.WriteString(a.stdout, describe(cmd)) })
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&a.credentials, "credentials", "", "credentials `FILE` for the servers [$WEFT_CREDENTIALS, or admin.json in the state directory, or to read the node's own]")
	flags.StringVar(&a.stateDir, "state-dir", "", "state `DIRECTORY` of the daemon on this host [$WEFT_STATE_DIR, or "+defaultStateDir+"]")
	flags.StringVar(&a.runDir, "run-dir", "", "run `DIRECTORY` of the daemon on this host, which has its socket [$WEFT_RUN_DIR, or "+defaultRunDir+"]")
	for _, g := range a.groups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	root.SetHelpCommand(newHelp(a))
	root.SetHelpCommandGroupID(aboutWeft)
	finish(root)
	return root
}

// aboutWeft is the heading of what is about this program.
const aboutWeft = "This program"

// A group is a heading in weft's help.
type group struct {
	title    string
	commands []*cobra.Command
}

func (a *app) groups() []group {
	return []group{
		{"Networks and who is in them", []*cobra.Command{newNetwork(a), newEndpoint(a), newTunnel(a), newNode(a), newToken(a), newStore(a)}},
		{"Resources as files", []*cobra.Command{newApply(a), newDiff(a), newGet(a), newDelete(a)}},
		{"Looking at this host", []*cobra.Command{
			newStatus(a), newLink(a), newFDB(a), newNeigh(a), newRoute(a), newTraffic(a), newDrops(a),
			newPlan(a), newExplain(a), newBench(a), newDown(a),
		}},
		{"Trying it", []*cobra.Command{newLab(a)}},
		{aboutWeft, []*cobra.Command{newLogin(a), newCompletion(a), newVersion(a)}},
	}
}
