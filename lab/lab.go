// Package lab makes small networks of hosts on one machine, for demonstrations and
// end-to-end tests.
//
// A [Topology] is a value; [Build] makes a [Lab] of it. Every host, router and
// workload is a network namespace, and so is the underlay, which holds a bridge
// for each segment: nothing of a lab is in the machine's own namespace. What else a
// lab keeps, its hosts' state and the output of their programs, is in one folder
// under [Root]. So a lab whose builder was killed can be found and removed by its
// name ([Clean]).
//
// Hosts and workloads may be used from several goroutines. [Lab.Close] comes last.
//
// What runs in a lab is the caller's business: no daemons and no scenarios here but
// those that every one needs.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"weft/internal/netns"
)

// Root is the folder in which every lab on this machine has one of its own.
const Root = "/run/weftlab"

// Lab is a topology that has been built.
type Lab struct {
	topology Topology
	hosts    []*Host

	mu        sync.Mutex
	processes []*Process // that were started, in this order
	started   int
}

// Build makes the topology. On failure nothing is left. A lab of the same name that
// is there already is left alone, and the error wraps [fs.ErrExist].
func Build(ctx context.Context, t Topology) (*Lab, error) {
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("build lab: %w", err)
	}
	l := &Lab{topology: t}
	if err := claim(l.Dir()); err != nil {
		return nil, fmt.Errorf("build lab %s: %w", t.Name, err)
	}
	if err := l.build(ctx); err != nil {
		err = fmt.Errorf("build lab %s: %w", t.Name, err)
		return nil, errors.Join(err, l.Close(context.WithoutCancel(ctx)))
	}
	return l, nil
}

// claim makes the lab's folder, which must not be there.
func claim(dir string) error {
	for {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return err
		}
		err := os.Mkdir(dir, 0o755)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // the last other lab has just taken Root with it
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("there is one already (if nobody uses it, clean it up): %w", err)
		}
		return err
	}
}

// Name returns the lab's name.
func (l *Lab) Name() string { return l.topology.Name }

// Dir returns the lab's folder.
func (l *Lab) Dir() string { return filepath.Join(Root, l.topology.Name) }

// Hosts returns the machines that are no routers, in the topology's order.
func (l *Lab) Hosts() []*Host {
	return slices.DeleteFunc(slices.Clone(l.hosts), func(h *Host) bool { return h.machine.Router })
}

// Host returns the machine of that name, host or router, or nil.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.hosts {
		if h.machine.Name == name {
			return h
		}
	}
	return nil
}

// Underlay returns the namespace of the underlay. It has a bridge for each segment, of
// its name, and on it a port for each NIC: a-eth0 leads to eth0 of machine a.
func (l *Lab) Underlay() *Namespace {
	return &Namespace{lab: l, path: netns.Named(namespaceName(l.Name(), underlay))}
}

// Close stops what was started in the lab, last first, and removes the lab. It may
// be called again. It does not end early: a ctx that has ended only takes from
// processes the time to stop by themselves. That one had to be killed is in the
// error; the lab is gone all the same.
func (l *Lab) Close(ctx context.Context) error {
	l.mu.Lock()
	processes := slices.Clone(l.processes)
	l.processes = nil
	l.mu.Unlock()
	var errs []error
	for _, p := range slices.Backward(processes) {
		errs = append(errs, p.Stop(ctx))
	}
	return errors.Join(append(errs, Clean(l.Name()))...)
}
