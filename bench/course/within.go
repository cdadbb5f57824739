package course

import (
	"context"
	"errors"

	"weft/bench"
	"weft/bench/probe"
	"weft/overlay"
)

// within measures two workloads on one host.
func within(ctx context.Context, o Options, r *bench.Report) error {
	if !o.wants(partNode) {
		return nil
	}
	o.Ways = nil // those are between hosts
	return on(ctx, o, func(g *ground) (err error) {
		if err := g.start(ctx); err != nil {
			return err
		}
		all := []named{{nameBridge, bridge}}
		for i, m := range localModes {
			all = append(all, named{m.String(), m.weave(i, "a", "a")})
		}
		ways, err := makeWays(ctx, g, o, r, all)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeAll(ways)) }()
		tasks := []probe.Task{probe.TaskTCP(), probe.TaskUDP(), probe.TaskRequests()}
		c := newContest("one host", "two workloads on it", tasks, ways)
		c.part.Targets = []bench.Target{{Measure: probe.UDP, Way: localModes[0].String(), To: nameBridge, Ratio: 1.2}}
		if err := c.rounds(ctx, o); err != nil {
			return err
		}
		c.report(r)
		return nil
	})
}

// localModes are Weft's between workloads on one host, where nothing is encapsulated.
var localModes = []mode{
	{overlay.PlaneEBPF, overlay.Bridged, overlay.EncapVXLAN},
	{overlay.PlaneKernel, overlay.Bridged, overlay.EncapVXLAN},
}
