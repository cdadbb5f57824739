package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"weft/bench"
	"weft/bench/probe"
	"weft/cli/output"
)

func newBenchRun(a *app) *cobra.Command {
	var (
		port   uint16 = probe.DefaultPort
		cpu    int
		rounds int
		o      probe.Options
	)
	cmd := &cobra.Command{
		Use:   "run ENDPOINT ADDRESS",
		Short: "Measure from an endpoint of this host to an address",
		Long: `Measure from an endpoint of this host to an address at which "weft bench serve"
answers: throughput of TCP, the highest rate of UDP packets of which at most 1 % get
lost, requests of one byte and how long they take. CPU time is that of both hosts, of
everything that runs there: it says something while nothing else does. It takes about
six times --time for each round, up to thirty times where packets get lost.

` + benchEnds,
		Example: `  weft bench run blue/web 10.7.0.5
  weft bench run blue/web fd00:7::5 --rounds 5 --time 200ms --cpu 0
  weft bench run netns:web 10.7.0.5 -o json`,
		ValidArgsFunction: a.completeBenchEnd,
	}
	flags := cmd.Flags()
	flags.Var(&value[uint16]{name: "PORT", parse: parsePort, into: &port, text: fmt.Sprint(port)}, "port", "TCP `PORT` of the server")
	flags.IntVar(&cpu, "cpu", -1, "`CPU` to stay on; -1 is any")
	flags.IntVar(&rounds, "rounds", 3, "`NUMBER` of times that each measurement is made")
	flags.DurationVar(&o.Span, "time", time.Second, "for how long each measurement sends, up to 1m")
	flags.StringVar(&o.Congestion, "congestion", probe.DefaultCongestion, "congestion control of TCP, both sides' `NAME`")
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		to, err := parseAddress(args[1])
		if err != nil {
			return usagef(cmd, "ADDRESS %q: %v", args[1], err)
		}
		switch {
		case rounds < 1:
			return usagef(cmd, "--rounds %d: want at least 1", rounds)
		case o.Span <= 0 || o.Span > probe.MaxSpan:
			return usagef(cmd, "--time %v: want more than nothing and up to %v", o.Span, probe.MaxSpan)
		}
		end, err := a.benchEnd(cmd, args[0])
		if err != nil {
			return err
		}
		o.Server = netip.AddrPortFrom(to, port)
		figures, err := measureBench(cmd.Context(), probe.Place{Namespace: end.namespace, CPU: cpu}, o, rounds)
		if err != nil {
			return err
		}
		return output.List(a.stdout, *format, figures, figureColumns())
	}
	return cmd
}

// figure is what was measured of one measure.
type figure struct {
	bench.Measure
	Median float64   `json:"median"`
	First  float64   `json:"first"` // a quarter of the rounds is below
	Third  float64   `json:"third"` // a quarter is above
	Rounds []float64 `json:"rounds"`
}

// measureBench measures everything, as often as asked.
func measureBench(ctx context.Context, place probe.Place, o probe.Options, rounds int) (all []figure, err error) {
	s, err := probe.Dial(ctx, place, o)
	if err != nil {
		return nil, cmp.Or(ctx.Err(), withCode(exitUnavailable, "nobody answers at %v: %w; start weft bench serve there", o.Server, err))
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var series bench.Series
	for range rounds {
		for _, t := range probe.Tasks() {
			figures, err := s.Measure(t)
			if err != nil {
				return nil, cmp.Or(ctx.Err(), err)
			}
			series.Add(figures)
		}
	}
	for _, t := range probe.Tasks() {
		for _, m := range t.Measures {
			spread := bench.SpreadOf(series.Values[m.ID])
			all = append(all, figure{m, spread.Median, spread.First, spread.Third, series.Values[m.ID]})
		}
	}
	return all, nil
}

func figureColumns() []output.Column[figure] {
	type f = figure
	return []output.Column[f]{
		{Title: "Measure", Cell: func(f f) string { return f.Name }},
		{Title: "Median", Cell: func(f f) string { return bench.Figure(f.Median) }},
		{Title: "Unit", Cell: func(f f) string { return f.Unit }},
		{Title: "Middle half", Cell: func(f f) string { return bench.Figure(f.First) + " – " + bench.Figure(f.Third) }},
		{Title: "Better", Wide: true, Cell: func(f f) string { return map[bool]string{true: "less", false: "more"}[f.Less] }},
	}
}
