package user

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane/kernel"
	"weft/internal/files"
)

// Options of a Forwarder. All are required.
type Options struct {
	// Dir is the run directory.
	Dir string
	// Command runs the forwarder's process (Server) with that run directory.
	Command []string
	// Version is that which such a process says that it has.
	Version string
	Log     *slog.Logger
}

// Forwarder is the agent's end of the forwarder's process: a kernel.Carrier. It starts the
// process when there is something to carry, and again when it has ended, or is of another
// version; and ends it when there is nothing more to do.
type Forwarder struct {
	Options
	ctx  context.Context // of Open until Close
	stop context.CancelFunc
	// running are the guards.
	running sync.WaitGroup

	mu sync.Mutex
	// jobs are what the file says.
	jobs map[kernel.LinkID]kernel.Carried
	// guarded: a guard is there.
	guarded bool
}

var _ kernel.Carrier = (*Forwarder)(nil)

// Open takes over what an earlier run has left. Nothing that is forwarded is disturbed, but that
// a process of another version is replaced.
func Open(o Options) (*Forwarder, error) {
	jobs, err := readJobs(o.Dir)
	if err != nil { // whoever has links to carry says so again
		aside, failed := files.SetAside(filepath.Join(o.Dir, jobsFile))
		if failed != nil {
			return nil, errors.Join(err, failed)
		}
		o.Log.Warn("what was forwarded cannot be read; it is set aside", "err", err, "aside", aside)
		jobs = map[kernel.LinkID]kernel.Carried{}
	}
	f := &Forwarder{Options: o, jobs: jobs}
	f.ctx, f.stop = context.WithCancel(context.Background())
	if len(jobs) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.ensure(); err != nil {
			o.Log.Error("the forwarder of the user plane does not run", "err", err)
		}
	}
	return f, nil
}

// Close leaves the process alone.
func (f *Forwarder) Close() error {
	f.stop()
	f.running.Wait()
	return nil
}

// Carried implements kernel.Carrier.
func (f *Forwarder) Carried() (map[kernel.LinkID]kernel.Carried, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := maps.Clone(f.jobs)
	for id, c := range all {
		c.Broken = "the forwarder does not run"
		all[id] = c
	}
	if len(all) == 0 {
		return nil, nil
	}
	a, err := f.ask(report)
	if errors.Is(err, errNone) {
		return all, nil
	}
	for id, c := range a.carried() {
		if _, ok := all[id]; ok {
			all[id] = c
		}
	}
	return all, err
}

// Carry implements kernel.Carrier.
func (f *Forwarder) Carry(id kernel.LinkID, c *kernel.Carried) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := maps.Clone(f.jobs)
	delete(next, id)
	if c != nil {
		next[id] = *c
	}
	if err := writeJobs(f.Dir, next); err != nil {
		return fmt.Errorf("write what is to be forwarded: %w", err)
	}
	f.jobs = next
	if len(next) == 0 {
		return End(f.Dir)
	}
	if err := f.ensure(); err != nil {
		return err
	}
	a, err := f.ask(load)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil || c == nil {
		return err
	}
	switch is := a.carried()[id]; {
	case is.PortTaken:
		return fmt.Errorf("%s: %w", is.Broken, unix.EADDRINUSE)
	case is.Broken != "":
		return errors.New(is.Broken)
	}
	return nil
}

// Counts implements kernel.Carrier.
func (f *Forwarder) Counts() (kernel.CarriedCounts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := kernel.CarriedCounts{Links: map[kernel.LinkID]kernel.CarriedCount{}}
	if len(f.jobs) == 0 {
		return all, nil
	}
	a, err := f.ask(report)
	if errors.Is(err, errNone) {
		return all, nil
	}
	all.Drops = a.Drops
	for _, c := range a.Counts {
		all.Links[kernel.LinkID{NS: kernel.NS(c.Namespace), Name: c.Device}] = c.CarriedCount
	}
	return all, err
}

// ensure makes sure that a process of this version runs, and that it is noticed when it ends.
func (f *Forwarder) ensure() error {
	a, err := f.ask(report)
	switch {
	case err == nil && a.Version == f.Version:
	case err == nil:
		f.Log.Info("replacing the forwarder of another version", "was", a.Version, "is", f.Version)
		err = End(f.Dir)
		fallthrough
	case errors.Is(err, errNone):
		if err == nil || errors.Is(err, errNone) {
			err = f.start()
		}
	}
	if err != nil || f.guarded {
		return err
	}
	conn, err := net.Dial("unix", filepath.Join(f.Dir, socketFile))
	if err != nil {
		return fmt.Errorf("watch the forwarder: %w", err)
	}
	f.guarded = true
	f.running.Go(func() { f.guard(conn) })
	return nil
}

// again is how long a forwarder that cannot be started is left alone.
const again = time.Second

// guard starts another process when the one behind conn has ended.
func (f *Forwarder) guard(conn net.Conn) {
	closing := context.AfterFunc(f.ctx, func() { _ = conn.Close() }) // ends the reading
	_, err := io.Copy(io.Discard, conn)
	closing()
	_ = conn.Close()
	for wait := time.Duration(0); f.ctx.Err() == nil; wait = again {
		if !f.pause(wait) {
			return
		}
		f.mu.Lock()
		f.guarded = false
		if len(f.jobs) == 0 {
			f.mu.Unlock()
			return
		}
		f.Log.Warn("the forwarder of the user plane has ended; starting it again", "err", err)
		err = f.ensure()
		done := f.guarded
		f.mu.Unlock()
		if done {
			return
		}
	}
}

// pause is false if this end is closed meanwhile.
func (f *Forwarder) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.ctx.Done():
		return false
	}
}

// errNone says that no forwarder runs.
var errNone = errors.New("no forwarder runs")

// askTime is how long an answer may take.
const askTime = 10 * time.Second

func (f *Forwarder) ask(what action) (answer, error) { return ask(f.Dir, what) }

// ask asks the process of a run directory.
func ask(dir string, what action) (a answer, err error) {
	conn, err := net.Dial("unix", filepath.Join(dir, socketFile))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return a, errNone
	}
	if err == nil {
		defer conn.Close()
		err = conn.SetDeadline(time.Now().Add(askTime))
	}
	if err == nil {
		err = json.NewEncoder(conn).Encode(request{what})
	}
	if err == nil {
		err = json.NewDecoder(conn).Decode(&a)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return a, errNone // it has just ended
	}
	if err != nil {
		return a, fmt.Errorf("ask the forwarder: %w", err)
	}
	return a, nil
}
