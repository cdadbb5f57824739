package course

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"weft/bench"
	"weft/bench/probe"
	"weft/overlay"
)

const (
	// few is how many remote endpoints the smaller network has; mostEndpoints find
	// addresses in a network's subnet.
	few           = 10
	mostEndpoints = 1<<17 - 1000
	// updates is how many single changes are timed in the large network.
	updates = 200
)

var (
	measureLoad   = bench.Measure{ID: "load", Name: "loading all", Unit: "s", Less: true}
	measureUpdate = bench.Measure{ID: "update", Name: "one update", Unit: "µs", Less: true}
)

// scale compares a network of few remote endpoints with one of many: what a packet
// costs, and how long it takes to tell the maps of them.
func scale(ctx context.Context, o Options, r *bench.Report, g *ground) (err error) {
	c, err := openCrowd(g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.putNode("far", netip.MustParsePrefix("203.0.113.1/24"))
	var ways []way
	var loads []map[string]float64
	for i, n := range []int{few, o.Many} {
		o.say("load %d remote endpoints", n)
		w, load, err := c.gather(ctx, g, 16+16*i, n)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		ways, loads = append(ways, w), append(loads, load)
	}
	opened, err := openAll(ctx, o, ways)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll(opened)) }()
	tasks := []probe.Task{probe.TaskUDP(), probe.TaskRequests()}
	contest := newContest("many endpoints", "one of them is reached; all are in the maps of both hosts", tasks, opened)
	if err := contest.rounds(ctx, o); err != nil {
		return err
	}
	p := &contest.part
	p.Measures = append(p.Measures, measureLoad, measureUpdate)
	for i, load := range loads {
		p.Series[i].Add(load)
	}
	p.Targets = []bench.Target{
		{Measure: probe.UDPCost, Way: ways[1].name, To: ways[0].name, Ratio: 1.05},
		{Measure: measureLoad.ID, Way: ways[1].name, Ratio: 2},
		{Measure: measureUpdate.ID, Way: ways[1].name, Ratio: 100},
	}
	contest.report(r)
	return nil
}

// gather makes a network with n remote endpoints, of which one is built, and returns
// the way to that, and what loading the network took.
func (c *crowd) gather(ctx context.Context, g *ground, i, n int) (way, map[string]float64, error) {
	network := fmt.Sprintf("crowd%d", i)
	w := way{name: fmt.Sprintf("Weft, ebpf, vxlan: %d", n)}
	both, err := g.ends(network, "a", "b")
	if err != nil {
		return w, nil, err
	}
	c.putNetwork(network, i, overlay.PlaneEBPF)
	c.putEndpoint(network, i, 0, "a", both[0].workload)
	e := c.putEndpoint(network, i, 1, "b", both[1].workload)
	for number := range n - 1 {
		c.putEndpoint(network, i, 2+number, "far", nil)
	}
	w = both.way(w.name, bench.Ours, e.Spec.Addresses[0])
	took, err := c.a.apply(ctx)
	if err != nil {
		return w, nil, err
	}
	if _, err := c.b.apply(ctx); err != nil {
		return w, nil, err
	}
	var times []float64
	for number := range updates {
		c.putEndpoint(network, i, 2+n+number, "far", nil)
		one, err := c.a.apply(ctx)
		if err != nil {
			return w, nil, err
		}
		times = append(times, float64(one)/float64(time.Microsecond))
	}
	return w, map[string]float64{measureLoad.ID: took.Seconds(), measureUpdate.ID: bench.SpreadOf(times).Median}, nil
}
