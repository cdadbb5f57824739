package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weft/agent"
	"weft/api/agentapi"
	"weft/store"
)

func (d *daemon) localCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "local", Short: "Run the agent of a host that follows a file and no server", Args: noArguments,
		Long: `Local makes this host match what weft apply --local declared last, and keeps it so. It needs
no server, token or store. weft apply --local starts it, and weft down ends it.`,
		Example: "  weft apply --local tunnels.yaml\n  systemctl enable weftd-local",
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.followFile(cmd.Context()) },
	}
	apply := &cobra.Command{
		Use: "apply", Short: "Have this host be what standard input declares (weft apply --local)", Args: noArguments, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.declare(cmd.Context(), cmd.InOrStdin()) },
	}
	for _, cmd := range []*cobra.Command{c, apply} {
		cmd.Flags().StringVar(&d.config.node, "node", "", "this node's name (default: the host's)")
		cmd.Flags().StringSliceVar(&d.config.underlay, "underlay", nil, "this node's underlay address, or one of each family (default: what the file says, or the default routes' source addresses)")
	}
	c.AddCommand(apply)
	return c
}

// followFile runs the agent of a host that follows a file.
func (d *daemon) followFile(ctx context.Context) error {
	o := d.agentOptions()
	o.Local, o.Ready = true, d.ready
	warnOfMounts(o.Log, initMounts)
	return unlessTold(ctx, agent.Run(ctx, o))
}

// declare has this host be what the text declares: the agent that runs is told, or one is started.
func (d *daemon) declare(ctx context.Context, text io.Reader) error {
	var next agentapi.Declaration
	decoder := json.NewDecoder(text)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&next); err != nil {
		return fmt.Errorf("read what is declared from standard input: %w; weft apply --local FILE writes it", err)
	}
	client := agentapi.NewClient(agentapi.Socket(d.config.runDir))
	if err := client.Declare(ctx, next); !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	o := d.agentOptions()
	if err := d.alone(); err != nil {
		return err
	}
	before, err := agent.LoadDeclaration(o.StateDir)
	if err != nil && !errors.Is(err, agent.ErrNotLocal) {
		return err
	}
	first := err != nil
	if err := agent.Check(ctx, o, next); err != nil {
		if !first { // the agent was killed
			err = errors.Join(err, d.start(ctx, client, before))
		}
		return err
	}
	if err := agent.SaveDeclaration(o.StateDir, next); err != nil {
		return err
	}
	if err := d.start(ctx, client, next); err != nil {
		return errors.Join(err, d.takeBack(ctx, client, before, first))
	}
	return nil
}

// takeBack has the host be what it was declared to be before; the first time it was nothing. The
// agent may have been started, or not.
func (d *daemon) takeBack(ctx context.Context, client *agentapi.Client, before agentapi.Declaration, first bool) error {
	if first {
		return d.down(ctx)
	}
	err := client.Declare(ctx, before)
	if errors.Is(err, store.ErrUnavailable) {
		err = nil
	}
	return errors.Join(agent.SaveDeclaration(d.config.stateDir, before), err)
}

// alone refuses a host that follows servers, also while its agent does not run: what is there of
// their networks would be taken away.
func (d *daemon) alone() error {
	if _, err := os.Stat(d.nodeFile()); err == nil {
		return fmt.Errorf("this host has joined servers (%s is there): declare it there with weft apply -f FILE, or remove it from them with weft node rm %s, say weft down, and remove that file",
			d.nodeFile(), d.config.node)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	leave, err := agent.Claim()
	if errors.Is(err, agent.ErrRunning) {
		return errors.New("an agent runs on this host already, with other folders, or has just been started; weft status --run-dir DIR shows it, and one host has one")
	} else if err != nil {
		return err
	}
	return leave()
}

// The unit that keeps a host so over a reboot, and where there is systemd (sd_booted(3)).
const (
	localUnit = "weftd-local.service"
	systemd   = "/run/systemd/system"
)

// start starts the agent and returns when the host is as declared.
func (d *daemon) start(ctx context.Context, client *agentapi.Client, next agentapi.Declaration) error {
	ended := make(chan error, 1)
	if d.unit(ctx) {
		if out, err := exec.CommandContext(ctx, "systemctl", "enable", "--now", localUnit).CombinedOutput(); err != nil {
			return fmt.Errorf("start %s: %w: %s", localUnit, err, strings.TrimSpace(string(out)))
		}
	} else if err := d.background(ended); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := client.Declare(ctx, next); !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("the agent ended: %w; %s says why: %s", err, d.logFile(), lastLine(d.logFile()))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unit reports whether systemd is to run the agent: it runs here, has the unit, and
// the folders are the unit's.
func (d *daemon) unit(ctx context.Context) bool {
	if _, err := os.Stat(systemd); err != nil || d.config.runDir != defaultRunDir || d.config.stateDir != defaultStateDir {
		return false
	}
	if exec.CommandContext(ctx, "systemctl", "cat", localUnit).Run() == nil {
		return true
	}
	fmt.Fprintf(d.stderr, "weftd: after a reboot this host is not so until weft apply --local is said again: install deploy/%s\n", localUnit)
	return false
}

func (d *daemon) logFile() string { return filepath.Join(d.config.runDir, "local.log") }

// background starts the agent beside this process, which it outlives, and tells when it ended.
func (d *daemon) background(ended chan<- error) error {
	if err := os.MkdirAll(d.config.runDir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the agent's log: %w", err)
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find weftd: %w", err)
	}
	c := d.config
	args := []string{"local", "--state-dir", c.stateDir, "--run-dir", c.runDir, "--netns-dir", c.netnsDir, "--node", c.node, "--log-level", c.logLevel}
	if len(c.underlay) > 0 {
		args = append(args, "--underlay", strings.Join(c.underlay, ","))
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = errors.New("it was told to")
		}
		ended <- err
	}()
	return nil
}

// lastLine is the last line of a log, or empty.
func lastLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return lines[len(lines)-1]
}

// endTime is how long an agent that was told to stop may take.
const endTime = 15 * time.Second

// endLocal ends the agent of a host that follows a file, if there is one, and has the
// host be nothing from then on.
func (d *daemon) endLocal(ctx context.Context) error {
	err := agentapi.NewClient(agentapi.Socket(d.config.runDir)).Stop(ctx)
	if err != nil {
		if _, e := agent.LoadDeclaration(d.config.stateDir); e == nil && errors.Is(err, store.ErrUnavailable) {
			return agent.ForgetDeclaration(d.config.stateDir)
		}
		return nil // another agent, which down refuses, or none
	}
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		leave, err := agent.Claim()
		if err == nil { // it wrote down what it knew when it ended
			return errors.Join(agent.ForgetDeclaration(d.config.stateDir), leave())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the agent was told to end, and has not after %s: %w", endTime, err)
		}
	}
}
