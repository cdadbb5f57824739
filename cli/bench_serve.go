package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weft/bench/probe"
	"weft/cli/output"
)

func newBenchServe(a *app) *cobra.Command {
	var (
		port  uint16
		cpu   int
		until time.Duration
	)
	cmd := &cobra.Command{
		Use:   "serve ENDPOINT",
		Short: "Answer measurements at an endpoint of this host",
		Long: `Answer measurements at an endpoint of this host, for a while. One measurement runs
at a time. Whoever reaches the endpoint may measure: end it (Ctrl-C) when you are
done.

` + benchEnds,
		Example: `  weft bench serve blue/db
  weft bench serve blue/db --time 1h --port 9000 --cpu 1
  weft bench serve netns:/proc/self/ns/net`,
		ValidArgsFunction: a.completeBenchEnd,
	}
	cmd.Flags().Var(&value[uint16]{name: "PORT", parse: parsePort, into: &port, text: fmt.Sprint(probe.DefaultPort)}, "port", "TCP `PORT` to listen on; data has ports of its own")
	cmd.Flags().IntVar(&cpu, "cpu", -1, "`CPU` to stay on; -1 is any")
	cmd.Flags().DurationVar(&until, "time", 10*time.Minute, "for how long")
	port = probe.DefaultPort
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if until <= 0 {
			return usagef(cmd, "--time %v: want a length of time such as 90s, 30m or 24h", until)
		}
		end, err := a.benchEnd(cmd, args[0])
		if err != nil {
			return err
		}
		servers, err := end.listen(cpu, port)
		if err != nil {
			return err
		}
		return a.serveBench(cmd.Context(), end, servers, until)
	}
	return cmd
}

// listen opens a server at each of the endpoint's addresses, or at all of the namespace.
func (e benchEnd) listen(cpu int, port uint16) ([]*probe.Server, error) {
	place := probe.Place{Namespace: e.namespace, CPU: cpu}
	addresses := e.addresses
	if len(addresses) == 0 {
		if s, err := probe.Listen(place, netip.AddrPortFrom(netip.IPv6Unspecified(), port)); err == nil {
			return []*probe.Server{s}, nil // of both families
		}
		addresses = []netip.Addr{netip.IPv4Unspecified()}
	}
	var all []*probe.Server
	for _, at := range addresses {
		s, err := probe.Listen(place, netip.AddrPortFrom(at, port))
		if err != nil {
			for _, s := range all {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (a *app) serveBench(ctx context.Context, end benchEnd, servers []*probe.Server, until time.Duration) error {
	serving, cancel := context.WithTimeout(ctx, until)
	defer cancel()
	var group errgroup.Group
	var at []netip.AddrPort
	for _, s := range servers {
		at = append(at, s.Address())
		group.Go(func() error { return s.Serve(serving) })
	}
	if _, err := fmt.Fprintf(a.stdout, "%s answers at %s for %v; measure from elsewhere with weft bench run ENDPOINT ADDRESS\n", end.name, output.Join(at), until); err != nil {
		cancel()
		return errors.Join(err, group.Wait())
	}
	return group.Wait()
}
