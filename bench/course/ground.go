package course

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"

	"weft/bench"
	"weft/lab"
)

// topology is six hosts in three pairs. All ways run between a and b, but for two: Open
// vSwitch's, which wants a network interface for itself, and the kernel's VXLAN by hand. A host
// with one UDP socket for tunnels finds it at once for each packet that GRO looks at
// (net/ipv4/udp_offload.c, udp_tunnel_update_gro_lookup), and one with two has to search, which
// would tell against both them and Weft.
func topology(name string) lab.Topology {
	machine := func(name, segment, v4, v6 string) lab.Machine {
		return lab.Machine{Name: name, NICs: []lab.NIC{{
			Segment: segment, Addresses: []netip.Prefix{netip.MustParsePrefix(v4), netip.MustParsePrefix(v6)},
		}}}
	}
	return lab.Topology{
		Name:     name,
		Segments: []lab.Segment{{Name: "cable", Cable: true}, {Name: "second", Cable: true}, {Name: "third", Cable: true}},
		Machines: []lab.Machine{
			machine("a", "cable", "192.0.2.1/24", "2001:db8:1::1/64"),
			machine("b", "cable", "192.0.2.2/24", "2001:db8:1::2/64"),
			machine("oa", "second", "198.51.100.1/24", "2001:db8:2::1/64"),
			machine("ob", "second", "198.51.100.2/24", "2001:db8:2::2/64"),
			machine("ka", "third", "198.18.0.1/24", "2001:db8:3::1/64"),
			machine("kb", "third", "198.18.0.2/24", "2001:db8:3::2/64"),
		},
	}
}

// ground is what ways are built on.
type ground struct {
	*lab.Lab
	weft *lab.Weft
}

// build builds the hosts.
func build(ctx context.Context, o Options) (*ground, error) {
	o.say("six hosts in three pairs")
	l, err := lab.Build(ctx, topology(o.Lab))
	if err != nil {
		return nil, err
	}
	return &ground{l, l.Weft(o.Bin)}, nil
}

// on builds the hosts, runs f on them, and removes them.
func on(ctx context.Context, o Options, f func(*ground) error) error {
	g, err := build(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(f(g), g.Close(context.WithoutCancel(ctx)))
}

// end is a workload on a host.
type end struct {
	host     *lab.Host
	workload *lab.Namespace
}

// pair is the two ends of a way.
type pair [2]end

// way leads from the first end to the second, which has the address.
func (p pair) way(name string, o bench.Origin, address netip.Addr) way {
	return way{name, o, p[0].workload, p[1].workload, address}
}

// ends makes a workload on each of two hosts, which may be one.
func (g *ground) ends(name, first, second string) (pair, error) {
	var both pair
	for i, h := range []string{first, second} {
		host := g.Host(h)
		if i == 1 && first == second {
			name += "-2"
		}
		w, err := host.Workload(name)
		if err != nil {
			return both, err
		}
		both[i] = end{host, w}
	}
	return both, nil
}

// name of the workload as ip netns knows it.
func (e end) name() string { return filepath.Base(e.workload.Path()) }

// underlay is the host's IPv4 address.
func (e end) underlay() netip.Addr { return e.host.Machine().NICs[0].Addresses[0].Addr() }

// script runs commands, a line each: on the host, or, when the line begins with
// "in ", in the workload.
func (e end) script(ctx context.Context, text string) error {
	for line := range strings.Lines(text) {
		argv := strings.Fields(line)
		at := &e.host.Namespace
		if len(argv) > 0 && argv[0] == "in" {
			at, argv = e.workload, argv[1:]
		}
		if len(argv) == 0 {
			continue
		}
		if _, err := at.Run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

// unfiltered keeps br_netfilter, where there is one, off a host's bridges: it would
// only slow them down.
func (e end) unfiltered() error {
	for _, table := range []string{"ip", "ip6", "arp"} {
		err := e.host.Sysctl(fmt.Sprintf("net.bridge.bridge-nf-call-%stables", table), "0")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
