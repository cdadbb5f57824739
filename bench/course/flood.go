package course

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"

	"weft/bench"
	"weft/bench/probe"
	"weft/overlay"
)

// mostPeers is how many the kernel's vxlan device is told of one by one in a moment.
const mostPeers = 1000

var floodMeasures = []bench.Measure{
	{ID: "frames", Name: "broadcasts", Unit: "1000/s"},
	{ID: "copies", Name: "copies that arrive", Unit: "1000/s"},
	{ID: "cost", Name: "CPU", Unit: "µs/copy", Less: true},
}

// flooding is a network whose broadcasts go to many. On Weft's they are the network's own
// host's, which storm control leaves alone.
type flooding struct {
	way
	sender string // a namespace
}

// flood measures broadcast to many peers: all copies cross the cable to b, behind which
// the peers are said to be.
func flood(ctx context.Context, o Options, r *bench.Report, g *ground) (err error) {
	c, err := openCrowd(g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := g.Host("a").Run(ctx, "ip", "route", "add", "172.16.0.0/16", "via", "192.0.2.2"); err != nil {
		return err
	}
	var ways []flooding
	for i, n := range o.Peers {
		for j, make := range []func(context.Context, *ground, int, int) (way, error){c.floodOurs, floodByHand} {
			w, err := make(ctx, g, 16+2*(2*i+j), n)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			o.say("make %s", w.name)
			f := flooding{w, w.from.Path()}
			if w.origin == bench.Ours {
				f.sender = c.a.domain(floodNetwork(n))
			}
			ways = append(ways, f)
		}
	}
	if _, err := c.a.apply(ctx); err != nil {
		return err
	}
	for _, w := range ways {
		if err := w.widen(ctx, g); err != nil {
			return err
		}
	}
	p := bench.Part{Name: "broadcast", About: "64 bytes to every peer", Measures: floodMeasures}
	for _, w := range ways {
		p.Series = append(p.Series, bench.Series{Way: w.name, Origin: w.origin})
	}
	for turn := range o.Rounds {
		for i := range ways {
			at := (i + turn) % len(ways)
			figures, err := ways[at].burst(g, o.Span)
			if err != nil {
				return fmt.Errorf("%s: %w", ways[at].name, err)
			}
			p.Series[at].Add(figures)
		}
		o.say("%s: round %d of %d", p.Name, turn+1, o.Rounds)
	}
	r.Parts = append(r.Parts, p)
	return nil
}

// widen gives the network's own host a route for broadcasts, for which it has no use else.
func (f flooding) widen(ctx context.Context, g *ground) error {
	if f.origin != bench.Ours {
		return nil
	}
	_, err := g.Host("a").Run(ctx, "nsenter", "--net="+f.sender, "ip", "route", "add", "broadcast", f.address.String(), "dev", "gw0")
	return err
}

// burst broadcasts for a while.
func (f flooding) burst(g *ground, span time.Duration) (map[string]float64, error) {
	before, err := arrived(g)
	if err != nil {
		return nil, err
	}
	place := probe.Place{Namespace: f.sender, CPU: sendingCPU}
	sent, err := place.Burst(netip.AddrPortFrom(f.address, probe.DefaultPort), 64, span)
	if err != nil {
		return nil, err
	}
	after, err := arrived(g)
	if err != nil {
		return nil, err
	}
	copies := float64(after - before)
	if copies == 0 {
		return nil, errors.New("no copy arrives")
	}
	return map[string]float64{
		"frames": float64(sent.Sent) / sent.Clock.Seconds() / 1e3,
		"copies": copies / sent.Clock.Seconds() / 1e3,
		"cost":   sent.CPU.Seconds() / copies * 1e6,
	}, nil
}

// arrived counts what has come through the cable to b.
func arrived(g *ground) (n uint64, err error) {
	err = g.Host("b").Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			n = link.Attrs().Statistics.RxPackets
		}
		return err
	})
	return n, err
}

// peer is the address of a peer that is not built.
func peer(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 16, byte((n + 1) >> 8), byte(n + 1)})
}

func floodNetwork(peers int) string { return fmt.Sprintf("flood%d", peers) }

// floodOurs makes a network of n peers on the eBPF plane.
func (c *crowd) floodOurs(_ context.Context, g *ground, i, n int) (way, error) {
	network := floodNetwork(n)
	w := way{name: fmt.Sprintf("Weft, ebpf, vxlan: %d peers", n), origin: bench.Ours, address: netip.AddrFrom4([4]byte{10, byte(i) + 1, 255, 255})}
	c.putNetwork(network, i, overlay.PlaneEBPF)
	var err error
	if w.from, err = g.Host("a").Workload(network); err != nil {
		return w, err
	}
	c.putEndpoint(network, i, 0, "a", w.from)
	for number := range n {
		name := fmt.Sprintf("peer%d", number)
		c.putNode(name, netip.PrefixFrom(peer(number), 16))
		c.putEndpoint(network, i, 1+number, name, nil)
	}
	return w, nil
}

// floodByHand makes a bridge and a vxlan device that has n remotes.
func floodByHand(ctx context.Context, g *ground, i, n int) (way, error) {
	w := way{name: fmt.Sprintf("kernel VXLAN: %d peers", n), origin: bench.ByHand, address: netip.AddrFrom4([4]byte{10, byte(i) + 1, 255, 255})}
	name := fmt.Sprintf("hand%d", n)
	e := end{host: g.Host("a")}
	var err error
	if e.workload, err = e.host.Workload(name); err != nil {
		return w, err
	}
	w.from = e.workload
	if err := e.unfiltered(); err != nil {
		return w, err
	}
	text := fmt.Sprintf(`
		ip link add br%[1]d type bridge
		ip link add vx%[1]d type vxlan id %[2]d local %[3]s dstport 4790 nolearning
		ip link add port%[1]d type veth peer name eth0 netns %[4]s
		ip link set vx%[1]d mtu 1450 master br%[1]d up
		ip link set port%[1]d mtu 1450 master br%[1]d up
		ip link set br%[1]d up
		in ip link set eth0 mtu 1450 up
		in ip address add 10.%[5]d.0.2/15 broadcast %[6]s dev eth0
		`, n, 6000+n, e.underlay(), e.name(), i, w.address)
	for number := range n {
		text += fmt.Sprintf("bridge fdb append 00:00:00:00:00:00 dev vx%d dst %s\n", n, peer(number))
	}
	return w, e.script(ctx, text)
}
