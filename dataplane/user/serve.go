package user

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"weft/dataplane/kernel"
	"weft/internal/files"
)

// Server is the forwarder's process.
type Server struct {
	// Dir is the run directory.
	Dir     string
	Version string
	Log     *slog.Logger
	// Ready is called when it forwards [nothing].
	Ready func()
}

// errRunning says that the run directory has a forwarder.
var errRunning = errors.New("another forwarder runs here")

// ownNamespace is the network namespace of this process.
const ownNamespace = "/proc/self/ns/net"

// Serve forwards until ctx ends or it is told to end.
func (s Server) Serve(ctx context.Context) (err error) {
	unlock, err := files.Lock(filepath.Join(s.Dir, lockFile))
	if errors.Is(err, files.ErrHeld) {
		return fmt.Errorf("%w: --run-dir %s", errRunning, s.Dir)
	} else if err != nil {
		return fmt.Errorf("lock the run directory: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	p := &process{Server: s, engine: NewEngine(ownNamespace, s.Log), ended: make(chan struct{})}
	defer func() { err = errors.Join(err, p.engine.Close()) }()
	if err := p.load(); err != nil {
		return err
	}
	listener, err := listen(filepath.Join(s.Dir, socketFile))
	if err != nil {
		return err
	}
	if s.Ready != nil {
		s.Ready()
	}
	return p.serve(ctx, listener)
}

// listen opens the socket for root alone. What was left by one that was killed is replaced, which
// the lock makes safe.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	old := unix.Umask(0o177)
	defer unix.Umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the forwarder's socket: %w", err)
	}
	return l, nil
}

// process serves requests.
type process struct {
	Server
	engine *Engine
	ended  chan struct{}
	end    sync.Once
	// loading is held while the file is read and obeyed.
	loading sync.Mutex
}

func (p *process) load() error {
	p.loading.Lock()
	defer p.loading.Unlock()
	want, err := readJobs(p.Dir)
	if err != nil {
		return err
	}
	return p.engine.load(want)
}

func (p *process) serve(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	open.Go(func() {
		select {
		case <-ctx.Done():
		case <-p.ended:
		}
		stop()
		if err := l.Close(); err != nil {
			p.Log.Error("the socket cannot be closed", "err", err)
		}
	})
	var failed error
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil {
				failed = fmt.Errorf("serve the forwarder's socket: %w", err)
			}
			break
		}
		open.Go(func() { p.converse(ctx, conn) })
	}
	stop()
	open.Wait()
	return failed
}

// converse answers requests until the other end has no more.
func (p *process) converse(ctx context.Context, conn net.Conn) {
	unhook := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the reading below
	defer unhook()
	defer conn.Close()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				p.Log.Warn("a request cannot be read", "err", err)
			}
			return
		}
		if err := out.Encode(p.answer(r)); err != nil {
			p.Log.Warn("a request cannot be answered", "err", err)
			return
		}
		if r.Do == end {
			p.end.Do(func() { close(p.ended) })
		}
	}
}

func (p *process) answer(r request) answer {
	a := answer{Version: p.Version}
	if r.Do == load {
		if err := p.load(); err != nil {
			a.Error = err.Error()
		}
	}
	jobs, _ := p.engine.Carried() // it is in this process: nothing can fail
	counts, _ := p.engine.Counts()
	a.Jobs, a.Drops = jobsOf(jobs), counts.Drops
	for id, c := range counts.Links {
		a.Counts = append(a.Counts, linkCount{string(id.NS), id.Name, c})
	}
	return a
}

// carried is what an answer says of each link.
func (a answer) carried() map[kernel.LinkID]kernel.Carried {
	all := map[kernel.LinkID]kernel.Carried{}
	for _, j := range a.Jobs {
		all[j.id()] = j.Carried
	}
	return all
}
