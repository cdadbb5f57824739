// Package agent assembles a node's agent: who it is, the plane, the loop that
// makes the host match the store, and the socket for root on this node.
// Nothing is decided here but the order in which these start and stop.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"weft/api/agentapi"
	"weft/control"
	"weft/dataplane/ebpf"
	"weft/dataplane/kernel"
	"weft/internal/netns"
	"weft/overlay"
)

// Options of an agent. All fields without a default in brackets are required.
type Options struct {
	Node overlay.NodeName
	// StateDir survives a reboot: the node's keys, what it knows, the journal
	// of changed sysctls. RunDir need not: the socket. NetnsDir is where
	// networks' namespaces are named.
	StateDir, RunDir, NetnsDir string
	// Underlay are this node's underlay addresses [those of the default routes].
	Underlay []string
	// Local: the node follows what was declared for it ([SaveDeclaration]) and no server.
	Local bool
	// Join is the token to join with [the node has joined before].
	Join string
	// AcceptStore follows a store that was restored or replaced.
	AcceptStore bool
	Version     string
	Log         *slog.Logger
	// Forward is the command that runs the user plane's forwarder (user.Server) in RunDir
	// [that plane does not run here].
	Forward []string
	// Ready is called when the agent answers on its socket [nothing].
	Ready func()
	// noPrograms is why the eBPF plane does not run here; nil: it does.
	noPrograms error
	// noForwarder is why the user plane does not run here; nil: it does.
	noForwarder error
	// tunnelModes are what each plane can do for tunnels to strangers; nil: nobody knows.
	tunnelModes map[overlay.PlaneName][]string
}

// Run runs an agent until ctx ends. What the host forwards stays as it is then.
func Run(ctx context.Context, o Options) (err error) {
	for _, dir := range []string{o.StateDir, o.RunDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	unlock, err := lock(o.RunDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	underlay, err := o.wanted().find()
	if err != nil {
		return err
	}
	leave, err := Claim()
	if errors.Is(err, ErrRunning) {
		return fmt.Errorf("%w; end that one, or give this one a network namespace of its own", err)
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave()) }()
	var at *member
	if !o.Local {
		if at, err = join(ctx, o); err != nil {
			return err
		}
	}
	options := kernel.Options{StateDir: o.StateDir, NetnsDir: o.NetnsDir, Log: o.Log}
	programs, failed := openPrograms(o)
	if o.noPrograms = failed; failed != nil {
		o.Log.Info("the eBPF plane does not run here", "because", failed)
	} else {
		options.Programs, options.Diverter = programs, ebpf.Diversions{Dir: ebpf.Dir(o.RunDir)}
		defer func() { err = errors.Join(err, programs.Close()) }()
	}
	forwarder, failed := openForwarder(o)
	if o.noForwarder = failed; failed != nil {
		o.Log.Info("the user plane does not run here", "because", failed)
	} else {
		options.Carrier = forwarder
		defer func() { err = errors.Join(err, forwarder.Close()) }()
	}
	if o.tunnelModes, err = o.probeTunnels(ctx); err != nil {
		o.Log.Warn("tunnels are made without knowing whether they can be", "err", err)
	}
	plane, err := kernel.New(options)
	if err != nil {
		return fmt.Errorf("start the kernel plane: %w", err)
	}
	err = run(ctx, o, underlay, at, plane)
	return errors.Join(err, plane.Close())
}

// openPrograms is the eBPF plane, if the kernel has what it needs.
func openPrograms(o Options) (*ebpf.Demand, error) {
	if err := ebpf.Probe(); err != nil {
		return nil, err
	}
	return ebpf.OnDemand(ebpf.Options{Dir: ebpf.Dir(o.RunDir), Host: "/proc/self/ns/net", Log: o.Log})
}

// run starts what runs side by side, and ends when one of them fails or ctx ends. m is nil on
// a host that follows a file.
func run(ctx context.Context, o Options, underlay Underlay, m *member, plane *kernel.Plane) error {
	found, err := plane.Found()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	options := control.Options{
		Node: o.Node, Plane: plane, Log: o.Log,
		CachePath: filepath.Join(o.StateDir, cacheFile),
		Namespace: namespace,
		Version:   o.Version, Kernel: kernelRelease(),
		ChoicesPath: filepath.Join(o.StateDir, choicesFile), Found: found,
		PeersPath:   filepath.Join(o.StateDir, peersFile),
		DomainPath:  func(n overlay.NetworkName) string { return string(kernel.DomainNS(o.NetnsDir, n)) },
		AcceptStore: o.AcceptStore,
	}
	s := &service{node: o.Node, version: o.Version, started: time.Now().UTC(), plane: plane, netnsDir: o.NetnsDir, stop: stop}
	if m == nil {
		if s.local, err = openLocal(ctx, o, underlay); err != nil {
			return err
		}
		s.client, options.AcceptStore = s.local, true // each run has a store of its own
	} else {
		s.client, options.Recovery = m.client, m.client
	}
	options.Store = s.client
	loop := control.New(options)
	s.loop = loop
	listener, err := listen(o.RunDir)
	if err != nil {
		return err
	}
	g.Go(func() error { return serve(ctx, listener, agentapi.Handler(s, o.Log)) })
	g.Go(func() error { return loop.Run(ctx) })
	if m != nil {
		g.Go(func() error { return m.rotate(ctx, o.Log) })
	}
	g.Go(func() error { return register(ctx, o, o.wanted, underlay, s.client) })
	o.Log.Info("agent ready", "node", o.Node, "underlay", underlay.Addresses, "socket", listener.Addr())
	if o.Ready != nil {
		o.Ready()
	}
	return g.Wait()
}

// namespace returns the identity of the namespace at a path, empty when there is none.
func namespace(path string) (string, error) {
	id, err := netns.ID(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, netns.ErrNotNamespace), errors.Is(err, unix.ESRCH):
		return "", nil
	case err != nil:
		return "", err
	}
	return id.String(), nil
}

// listen opens the agent's socket; what an agent left that was killed is
// replaced, which the lock makes safe.
func listen(dir string) (net.Listener, error) {
	path := agentapi.Socket(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	old := unix.Umask(0o177)
	defer unix.Umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the agent's socket: %w", err)
	}
	return l, nil
}

// stopTime is how long open requests may take after the agent was told to stop,
// and again after they were told so too.
const stopTime = 500 * time.Millisecond

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		defer time.AfterFunc(stopTime, end).Stop()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*stopTime)
		defer cancel()
		stopped <- s.Shutdown(grace)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the agent's socket: %w", err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
