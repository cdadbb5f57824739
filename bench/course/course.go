// Package course compares Weft with what else carries packets between two hosts: it
// builds the hosts in network namespaces, makes every way between workloads on them
// (plain routes, the kernel's VXLAN by hand, Weft's modes, Open vSwitch, wireguard-go),
// and measures all of them in one run.
//
// What makes the figures comparable: the ways are on the same hosts at the same time, and
// share the cable between them. In every round each way has its turn with each measure,
// one right after the other, so what disturbs the machine for a while disturbs all; the
// order turns, so that none is always the first. Sender and receiver have a CPU each.
//
// Weft's ways are made by the real programs, as a user would make them; only how it does
// with many peers and endpoints (crowd.go) is tried on the planes themselves. Nothing
// in here is for users: they measure their own networks with weft bench.
package course

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weft/bench"
	"weft/bench/probe"
)

// Options of a comparison. All fields but Ways are required.
type Options struct {
	// Bin is the folder of weft and weftd, and of wireguard-go if it is to take part.
	Bin string
	// Lab is the name of the lab that is built.
	Lab string
	// Command is what the report says it was made by.
	Command string
	// Parts are what is measured, of Parts().
	Parts []string
	// Ways are parts of names of ways to measure between two hosts; none means all.
	Ways []string
	// Rounds is how often, at least 1; Span is for how long each measurement sends.
	Rounds int
	Span   time.Duration
	// Congestion is the congestion control of TCP.
	Congestion string
	// Many is how many remote endpoints the larger network of partScale has.
	Many int
	// Peers are how many peers broadcasts of partFlood go to, at most 1000.
	Peers []int
	// Progress gets a line for each thing that is begun.
	Progress io.Writer
}

// Parts are all parts of a comparison, in their order.
func Parts() []string {
	var all []string
	for _, s := range settings {
		all = append(all, s.id)
	}
	return append(all, partNode, partScale, partFlood)
}

const (
	partNode  = "node"  // two workloads on one host
	partScale = "scale" // many remote endpoints
	partFlood = "flood" // broadcast to many peers
)

func (o *Options) check() error {
	for _, p := range o.Parts {
		if !slices.Contains(Parts(), p) {
			return fmt.Errorf("there is no part %q; want some of %s", p, strings.Join(Parts(), ", "))
		}
	}
	for _, w := range o.Ways {
		if !slices.ContainsFunc(waysBetween(), func(n named) bool { return strings.Contains(n.name, w) }) {
			return fmt.Errorf("no way is called %s", w)
		}
	}
	switch {
	case len(o.Parts) == 0:
		return fmt.Errorf("nothing to measure; want some of %s", strings.Join(Parts(), ", "))
	case o.Rounds < 1:
		return fmt.Errorf("%d rounds: want at least 1", o.Rounds)
	case o.Many <= few || o.Many > mostEndpoints:
		return fmt.Errorf("%d remote endpoints: want %d to %d", o.Many, few+1, mostEndpoints)
	case slices.ContainsFunc(o.Peers, func(n int) bool { return n < 1 || n > mostPeers }):
		return fmt.Errorf("peers %v: want 1 to %d", o.Peers, mostPeers)
	case o.Span <= 0 || o.Span > probe.MaxSpan:
		return fmt.Errorf("measure for %v: want up to %v", o.Span, probe.MaxSpan)
	}
	return nil
}

func (o *Options) wants(part string) bool { return slices.Contains(o.Parts, part) }

func (o *Options) say(format string, args ...any) {
	fmt.Fprintf(o.Progress, format+"\n", args...) // nobody misses a line that got lost
}

// The sender and all that softirqs do for it have one CPU, the receiver another:
// where the scheduler puts them would otherwise decide the figures.
const sendingCPU, receivingCPU = 0, 1

// Run makes the comparison. Everything that it built is removed at its end.
func Run(ctx context.Context, o Options) (*bench.Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if n := runtime.NumCPU(); n < 2 {
		return nil, fmt.Errorf("measure on %d CPU: sender and receiver need one each", n)
	}
	r, err := o.report(ctx)
	if err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context, Options, *bench.Report) error{between, within, crowds} {
		if err := part(ctx, o, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// report begins the report with what there is to say before anything is measured.
func (o *Options) report(ctx context.Context) (*bench.Report, error) {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, os.NewSyscallError("uname", err)
	}
	o.say("how busy the machine is")
	busy, err := idle(ctx, time.Second)
	if busy > fairlyIdle {
		o.say("%.2f CPUs do something else: the figures will say little", busy)
	}
	return &bench.Report{
		Command: o.Command, Began: time.Now().UTC().Truncate(time.Second), Rounds: o.Rounds, Span: o.Span, Congestion: o.Congestion, Busy: busy,
		Machine: bench.Machine{
			CPU: bench.CPUModel(string(cpuinfo)), CPUs: runtime.NumCPU(),
			Kernel: unix.ByteSliceToString(uts.Sysname[:]) + " " + unix.ByteSliceToString(uts.Release[:]),
		},
		LeftOut: map[string]string{},
	}, err
}

// fairlyIdle is how many CPUs may be busy with other things.
const fairlyIdle = 0.1

// idle waits, and returns how many CPUs were busy meanwhile.
func idle(ctx context.Context, d time.Duration) (float64, error) {
	before, err := probe.Busy()
	if err != nil {
		return 0, err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := probe.Busy()
	return (after - before).Seconds() / d.Seconds(), err
}

// errMissing says that a program is not there, so its way is left out.
var errMissing = errors.New("it is not installed")
