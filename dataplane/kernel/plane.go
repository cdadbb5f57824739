package kernel

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"weft/dataplane"
	"weft/internal/netns"
	"weft/overlay"
)

// Options say where a Plane works. Zero values mean the default in brackets.
type Options struct {
	// NetnsDir is the folder in which the networks' namespaces are mounted [/run/netns].
	NetnsDir string
	// StateDir keeps what must outlive the process and the machine: the host's
	// settings as they were before Weft. Required.
	StateDir string
	// Host is the path of the host's network namespace [this process's own].
	Host string
	// Programs are the eBPF plane's [none: networks on that plane are refused].
	Programs Programs
	// Carrier is the user plane's [none: networks on that plane are refused].
	Carrier Carrier
	// Diverter keeps traffic up while a port goes from one plane to the other [none:
	// it is interrupted].
	Diverter Diverter
	// Log [none].
	Log *slog.Logger
}

func (o Options) complete() Options {
	o.NetnsDir = cmp.Or(o.NetnsDir, netns.Dir)
	o.Host = cmp.Or(o.Host, "/proc/self/ns/net")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Plane is a dataplane.Plane.
type Plane struct {
	Options
	events     chan dataplane.Event
	outbox     *outbox
	suspicions *suspicions
	stations   *stations
	groups     *groups
	drops      *dropLog
	// wanted is what notifications are compared with.
	wanted atomic.Pointer[wanted]
	stop   context.CancelFunc
	// running are the goroutines but those of the watches.
	running sync.WaitGroup

	// mu is held while the host is read or changed.
	mu      sync.Mutex
	watches watches
	// want is the State of the last Apply; the zero value before. Who changes it holds
	// changing too: its collections are what notifications are compared with.
	want     dataplane.State
	changing sync.RWMutex
	// reached is the generation that the host is known to be at; 0: unknown.
	reached uint64
	// out are the ports that the last Apply had to leave out, gone those whose
	// namespace has gone and has been announced so.
	out, gone map[overlay.NetworkName]portSet
	// failed are the networks that the last Apply could not make.
	failed map[overlay.NetworkName]struct{}
	// tunnelsOut are the tunnels that it could not make, tunnelLinks the numbers of the
	// others' links.
	tunnelsOut  tunnelSet
	tunnelLinks map[LinkID]int
}

var _ dataplane.Plane = (*Plane)(nil)

// New returns a Plane. It changes nothing on the host before the first Apply.
func New(o Options) (*Plane, error) {
	o = o.complete()
	host, err := openWatch("", Host, o.Host, hostGroups)
	if err != nil {
		return nil, fmt.Errorf("watch the host's network namespace: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Plane{
		Options: o, events: make(chan dataplane.Event, 64), outbox: newOutbox(), suspicions: newSuspicions(), stop: stop,
		watches: watches{host: host, domains: map[overlay.NetworkName]*watch{}},
		out:     map[overlay.NetworkName]portSet{}, gone: map[overlay.NetworkName]portSet{},
		failed: map[overlay.NetworkName]struct{}{}, drops: newDropLog(),
	}
	p.stations = newStations(p.outbox.put)
	p.groups = newGroups(p.outbox.put)
	p.wanted.Store(&wanted{})
	p.run(host)
	p.runPost()
	p.running.Go(func() { p.outbox.run(ctx, p.events) })
	p.running.Go(func() { p.suspicions.run(ctx, p.verify) })
	p.running.Go(func() { p.stations.run(ctx) })
	if p.Programs != nil {
		p.running.Go(func() {
			if err := p.Programs.Run(ctx, Heard{p.sighted, p.drops.add}); err != nil {
				p.Log.Error("stations behind segment ports are not heard, and dropped packets not seen", "err", err)
			}
		})
	}
	return p, nil
}

// Events implements dataplane.Plane.
func (p *Plane) Events() <-chan dataplane.Event { return p.events }

// Close implements dataplane.Plane.
func (p *Plane) Close() error {
	p.stop()
	p.groups.close()
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches.close()
	close(p.events)
	return nil
}

func sortedNames[V any](m map[overlay.NetworkName]V) []overlay.NetworkName {
	return slices.Sorted(maps.Keys(m))
}
