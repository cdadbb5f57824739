package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weft/agent"
	"weft/api/identity"
	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/dataplane/user"
	"weft/internal/files"
	"weft/internal/release"
	"weft/overlay"
	"weft/server"
)

// serve runs the server alone.
func (d *daemon) serve(ctx context.Context) error {
	s, err := d.openServer(ctx, d.ready)
	if err != nil {
		return err
	}
	err = s.Run(ctx)
	return errors.Join(err, s.Close())
}

// ready says that weftd answers, to whoever started it.
func (d *daemon) ready() {
	if err := ready(); err != nil {
		d.logger().Warn("nobody knows that weftd is ready", "err", err)
	}
}

// agentGC is the garbage collector's target for an agent, in percent of what is
// alive: most of that is remote endpoints, which stay for long and change
// little, so a small heap costs an agent next to nothing. With 10,000 remote
// endpoints on the eBPF plane its peak is 58 MiB resident, 60 with 25 percent,
// of which 27 are pages of the program's file, whatever the collector does
// (BenchmarkMemory).
const agentGC = 15

// follow runs the agent alone.
func (d *daemon) follow(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(agentGC)
	}
	o := d.agentOptions()
	o.Ready = d.ready
	warnOfMounts(o.Log, initMounts)
	return unlessTold(ctx, agent.Run(ctx, o))
}

// unlessTold returns an agent's error, unless it only says where the agent was when it
// was told to stop: joining, and no server answered.
func unlessTold(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// localTokenTime is how long the token is good that a first host joins itself with.
const localTokenTime = time.Minute

// firstTokenTime is how long the token is good that a first host prints for the others.
const firstTokenTime = 24 * time.Hour

// both runs a server and this node's agent. The first time it prints how
// other hosts join.
func (d *daemon) both(ctx context.Context) error {
	s, err := d.openServer(ctx, nil)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return d.localAgent(ctx, s) })
	err = g.Wait()
	return errors.Join(err, s.Close())
}

func (d *daemon) localAgent(ctx context.Context, s *server.Server) error {
	o := d.agentOptions()
	warnOfMounts(o.Log, initMounts)
	first, again, err := d.membership(o.Log)
	if err != nil {
		return err
	}
	if (first || again) && o.Join == "" {
		var self overlay.NodeName // one that is not taken
		if again {
			self = o.Node
		}
		token, err := s.Token(ctx, self, localTokenTime)
		if err != nil {
			return fmt.Errorf("make a token for this node: %w", err)
		}
		o.Join = token
	}
	o.Ready = func() {
		d.ready()
		if !first {
			return
		}
		token, err := s.Token(ctx, "", firstTokenTime)
		if err != nil {
			o.Log.Error("no token for other nodes could be made; make one with weft token create", "err", err)
			return
		}
		fmt.Fprintf(d.stdout, "Weft runs on this host. On every other host, as root, within %d hours:\n\n  weftd agent --join %s\n\n"+
			"More tokens: weft token create. First network: weft network create blue --subnet 10.7.0.0/24\n",
			int(firstTokenTime.Hours()), token)
	}
	return unlessTold(ctx, agent.Run(ctx, o))
}

// nodeFile has the certificate and key of a host that has joined.
func (d *daemon) nodeFile() string { return filepath.Join(d.config.stateDir, "node.json") }

// membership says whether this host joins for the first time, or again because
// its certificate and key are damaged: a server of its own gives it new ones, so
// the file is set aside.
func (d *daemon) membership(log *slog.Logger) (first, again bool, err error) {
	file := d.nodeFile()
	_, err = identity.LoadCredentials(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, false, nil
	case errors.Is(err, identity.ErrDamaged):
		aside, failed := files.SetAside(file)
		if failed != nil {
			return false, false, errors.Join(err, failed)
		}
		log.Warn("this node's certificate and key cannot be read; they are set aside, and it joins again in its own place", "err", err, "aside", aside)
		return false, true, nil
	}
	return false, false, err
}

func (d *daemon) openServer(ctx context.Context, ready func()) (*server.Server, error) {
	c := d.config
	advertise := c.advertise
	if len(advertise) == 0 {
		underlay, err := agent.FindUnderlay(c.underlay)
		if err != nil {
			return nil, err
		}
		for _, p := range underlay.Addresses {
			advertise = append(advertise, p.Addr().String())
		}
	}
	return server.Open(ctx, server.Options{
		Name: c.node, StateDir: c.stateDir, Listen: c.listen, Advertise: advertise, Lifetime: c.lifetime,
		Etcd: server.Etcd{
			Endpoints: c.etcd.endpoints, CA: c.etcd.ca, Certificate: c.etcd.cert, Key: c.etcd.key, Prefix: c.etcd.prefix,
		},
		Version: release.Version(), Log: d.logger().With("program", "server"), Ready: ready,
	})
}

func (d *daemon) agentOptions() agent.Options {
	c := d.config
	return agent.Options{
		Node: overlay.NodeName(c.node), StateDir: c.stateDir, RunDir: c.runDir, NetnsDir: c.netnsDir,
		Underlay: c.underlay, Join: c.join, AcceptStore: c.acceptStore,
		Version: release.Version(), Log: d.logger().With("program", "agent"),
		// This very program, whatever has taken its file's place since.
		Forward: []string{"/proc/self/exe", "forward", "--run-dir", c.runDir, "--log-level", c.logLevel},
	}
}

// forward is the user plane's forwarder.
func (d *daemon) forward(ctx context.Context) error {
	s := user.Server{Dir: d.config.runDir, Version: release.Version(), Log: d.logger().With("program", "forward")}
	s.Ready = func() {
		if err := user.SayReady(os.Stdout); err != nil {
			s.Log.Warn("nobody knows that this forwards", "err", err)
		}
	}
	return s.Serve(ctx)
}

// down removes all that Weft made on this host. An agent would make it again.
func (d *daemon) down(ctx context.Context) (err error) {
	if err := d.endLocal(ctx); err != nil {
		return err
	}
	leave, err := agent.Claim()
	if errors.Is(err, agent.ErrRunning) {
		return errors.New("an agent runs on this host and would make everything again; end weftd first (systemctl stop weftd weftd-agent)")
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave()) }()
	ended, failed := user.Remove(d.config.runDir)
	if ended {
		fmt.Fprintln(d.stdout, "removed the forwarder of the user plane")
	}
	removed, err := kernel.Down(ctx, kernel.Options{StateDir: d.config.stateDir, NetnsDir: d.config.netnsDir, Log: d.logger()})
	for _, what := range removed {
		fmt.Fprintf(d.stdout, "removed %s\n", what)
	}
	return errors.Join(failed, err, ebpf.Remove(ebpf.Dir(d.config.runDir), "/proc/self/ns/net"))
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArguments,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "weftd", release.Version()) },
	}
}
