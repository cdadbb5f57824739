package course

import (
	"weft/bench"
	"weft/bench/probe"
)

// targets between hosts: what the first of Weft's modes is held to, and how far the
// others on the eBPF plane may be behind it.
var targets = func() []bench.Target {
	first := modes[0].String()
	all := []bench.Target{
		{Measure: probe.UDP, Way: first, To: nameRouted, Ratio: 1.0},
		{Measure: probe.UDP, Way: first, To: nameBridgedByHand, Ratio: 1.5},
		{Measure: probe.TCP, Way: first, To: nameRouted, Ratio: 0.95},
		{Measure: probe.TCP, Way: first, To: nameBridgedByHand, Ratio: 1.1},
		{Measure: probe.Requests, Way: first, To: nameRouted, Ratio: 0.95},
		{Measure: probe.TCPCost, Way: first, To: nameRouted, Ratio: 1.1},
	}
	for _, m := range modes[1:] {
		if m.plane != modes[0].plane {
			continue
		}
		for _, id := range []string{probe.UDP, probe.TCP, probe.Requests} {
			all = append(all, bench.Target{Measure: id, Way: m.String(), To: first, Ratio: 0.95})
		}
		all = append(all, bench.Target{Measure: probe.TCPCost, Way: m.String(), To: first, Ratio: 1.05})
	}
	return all
}()
