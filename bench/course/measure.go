package course

import (
	"context"
	"fmt"
	"time"

	"weft/bench"
	"weft/bench/probe"
)

// A task measures a way, and yields figures of one or several measures.
type task struct {
	measures []bench.Measure
	run      func(*probe.Session) ([]float64, error)
}

const (
	idTCP        = "tcp1"
	idTCPCost    = "tcp1cpu"
	idTCP4       = "tcp4"
	idUDP        = "udp64"
	idUDPCost    = "udp64cpu"
	idUDPLarge   = "udp1400"
	idExchange   = "rr"
	idExchange50 = "rr50"
	idExchange99 = "rr99"
)

var (
	taskTCP = task{[]bench.Measure{
		{ID: idTCP, Name: "TCP, 1 stream", Unit: "Gbit/s"},
		{ID: idTCPCost, Name: "CPU, TCP", Unit: "s/GB", Less: true},
	}, func(s *probe.Session) ([]float64, error) {
		t, err := s.Streams(1)
		return []float64{t.BitsPerSecond() / 1e9, t.CPUPerGB()}, err
	}}
	taskTCP4 = task{[]bench.Measure{
		{ID: idTCP4, Name: "TCP, 4 streams", Unit: "Gbit/s"},
	}, func(s *probe.Session) ([]float64, error) {
		t, err := s.Streams(4)
		return []float64{t.BitsPerSecond() / 1e9}, err
	}}
	taskUDP = task{[]bench.Measure{
		{ID: idUDP, Name: "UDP, 64 bytes", Unit: "1000/s"},
		{ID: idUDPCost, Name: "CPU, UDP", Unit: "µs/packet", Less: true},
	}, func(s *probe.Session) ([]float64, error) {
		p, err := s.Packets(64)
		return []float64{p.PerSecond() / 1e3, p.CPUPerPacket().Seconds() * 1e6}, err
	}}
	taskUDPLarge = task{[]bench.Measure{
		{ID: idUDPLarge, Name: "UDP, 1400 bytes", Unit: "1000/s"},
	}, func(s *probe.Session) ([]float64, error) {
		p, err := s.Packets(1400)
		return []float64{p.PerSecond() / 1e3}, err
	}}
	taskExchange = task{[]bench.Measure{
		{ID: idExchange, Name: "requests", Unit: "1000/s"},
		{ID: idExchange50, Name: "p50", Unit: "µs", Less: true},
		{ID: idExchange99, Name: "p99", Unit: "µs", Less: true},
	}, func(s *probe.Session) ([]float64, error) {
		t, err := s.Transactions()
		micro := func(share float64) float64 { return float64(t.Percentile(share).Nanoseconds()) / 1e3 }
		return []float64{t.PerSecond() / 1e3, micro(0.5), micro(0.99)}, err
	}}
)

// allTasks are what ways between hosts are measured with.
var allTasks = []task{taskTCP, taskTCP4, taskUDP, taskUDPLarge, taskExchange}

// newPart is a part without figures yet.
func newPart(name, about string, tasks []task, ways []*measured) bench.Part {
	p := bench.Part{Name: name, About: about}
	for _, t := range tasks {
		p.Measures = append(p.Measures, t.measures...)
	}
	for _, w := range ways {
		p.Series = append(p.Series, bench.Series{Way: w.name, Origin: w.origin})
	}
	return p
}

// round adds a round's figures to the part: all ways take turns with each task.
func round(ctx context.Context, p *bench.Part, tasks []task, ways []*measured, turn int) error {
	for _, t := range tasks {
		for i := range ways {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := (i + turn) % len(ways)
			values, err := t.run(ways[at].Session)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", p.Name, ways[at].name, err)
			}
			figures := map[string]float64{}
			for n, m := range t.measures {
				figures[m.ID] = values[n]
			}
			p.Series[at].Add(figures)
		}
	}
	return nil
}

// rounds measures all rounds of a part.
func rounds(ctx context.Context, o Options, p *bench.Part, tasks []task, ways []*measured) error {
	for turn := range o.Rounds {
		began := time.Now()
		if err := round(ctx, p, tasks, ways, turn); err != nil {
			return err
		}
		o.say("%s: round %d of %d (%v)", p.Name, turn+1, o.Rounds, time.Since(began).Round(time.Second))
	}
	return nil
}
