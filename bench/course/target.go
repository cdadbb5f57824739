package course

import "weft/bench"

// targets between hosts: what the first of Weft's modes is held to, and how far the
// others on the eBPF plane may be behind it.
var targets = func() []bench.Target {
	first := modes[0].String()
	all := []bench.Target{
		{Measure: idUDP, Way: first, To: nameRouted, Ratio: 1.0},
		{Measure: idUDP, Way: first, To: nameBridgedByHand, Ratio: 1.5},
		{Measure: idTCP, Way: first, To: nameRouted, Ratio: 0.95},
		{Measure: idTCP, Way: first, To: nameBridgedByHand, Ratio: 1.1},
		{Measure: idExchange, Way: first, To: nameRouted, Ratio: 0.95},
		{Measure: idTCPCost, Way: first, To: nameRouted, Ratio: 1.1},
	}
	for _, m := range modes[1:] {
		if m.plane != modes[0].plane {
			continue
		}
		for _, id := range []string{idUDP, idTCP, idExchange} {
			all = append(all, bench.Target{Measure: id, Way: m.String(), To: first, Ratio: 0.95})
		}
		all = append(all, bench.Target{Measure: idTCPCost, Way: m.String(), To: first, Ratio: 1.05})
	}
	return all
}()
