package kernel

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"weft/dataplane"
	"weft/overlay"
)

// Bounds on what is behind one segment port: a flood of forged MACs fills neither
// memory nor the registry.
const (
	maxStations  = 1024
	maxAddresses = 16
	// stationBurst events at once, then stationRate a second.
	stationBurst = 256
	stationRate  = 100
	// stationTick paces what had to wait, and ageing.
	stationTick = 100 * time.Millisecond
	// stationAge is how long a station that no bridge knows is remembered: a bridge's default.
	stationAge = 5 * time.Minute
	// stationGrace is how long a bridge may have forgotten a station before that is
	// announced: the kernel says first which stations go, and then that their port does.
	stationGrace = time.Second
)

// stations are those behind the segment ports of a node. The bridges learn and age
// them; addresses are heard on the ports.
type stations struct {
	put func(dataplane.Event)
	now func() time.Time

	mu       sync.Mutex
	segments map[segmentPort]*segment
}

// segmentPort is an endpoint that is a segment port.
type segmentPort struct {
	network overlay.NetworkName
	port    overlay.EndpointName
}

type segment struct {
	known map[overlay.MAC]*knownStation
	// waiting are those of which something is to be announced, in order.
	waiting []overlay.MAC
	// tokens are the events that may be sent now.
	tokens float64
	filled time.Time
}

// knownStation is one station.
type knownStation struct {
	addresses []netip.Addr
	// learnt: the bridge has it, and will say when it has aged.
	learnt bool
	heard  time.Time
	// forgotten is when the bridge forgot it, zero if it did not or had to.
	forgotten time.Time
	// announced before; waiting to be, again.
	announced, waiting bool
}

func newStations(put func(dataplane.Event)) *stations {
	return &stations{put: put, now: time.Now, segments: map[segmentPort]*segment{}}
}

// run announces what had to wait, and ages, until ctx ends.
func (s *stations) run(ctx context.Context) {
	tick := time.NewTicker(stationTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tick()
		case <-ctx.Done():
			return
		}
	}
}

// learnt takes in that the bridge has a station behind a port, and no other.
func (s *stations) learnt(at segmentPort, mac overlay.MAC) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, g := range s.segments {
		if other.network == at.network && other != at {
			s.remove(other, g, mac)
		}
	}
	if g, k := s.station(at, mac); k != nil {
		k.learnt, k.forgotten = true, time.Time{}
		s.announce(at, g, mac, !k.announced)
	}
}

// heard takes in that a station said something on a port, with an address if that is
// valid.
func (s *stations) heard(at segmentPort, mac overlay.MAC, ip netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, k := s.station(at, mac)
	if k == nil {
		return
	}
	k.heard = s.now()
	news := ip.IsValid() && !slices.Contains(k.addresses, ip) && len(k.addresses) < maxAddresses
	if news {
		k.addresses = append(k.addresses, ip)
		slices.SortFunc(k.addresses, netip.Addr.Compare)
	}
	s.announce(at, g, mac, news || !k.announced)
}

// forgot takes in that the bridge has a station behind this port no more.
func (s *stations) forgot(at segmentPort, mac overlay.MAC) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.segments[at]; g != nil && g.known[mac] != nil {
		k := g.known[mac]
		k.learnt, k.forgotten = false, s.now()
	}
}

// spare takes in that a port of the network, or the bridge if it is empty, went or
// was made: what the bridge forgot just now, it had to, and is remembered instead.
func (s *stations) spare(n overlay.NetworkName, port overlay.EndpointName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, g := range s.segments {
		if at.network != n || port != "" && port != at.port {
			continue
		}
		for _, k := range g.known {
			if !k.forgotten.IsZero() {
				k.heard, k.forgotten = s.now(), time.Time{}
			}
		}
	}
}

// moved takes in that the bridge has a station behind no segment port.
func (s *stations) moved(n overlay.NetworkName, mac overlay.MAC) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, g := range s.segments {
		if at.network == n {
			s.remove(at, g, mac)
		}
	}
}

// keep forgets, without a word, the ports that are not in the network any more.
func (s *stations) keep(n overlay.NetworkName, ports map[string]overlay.EndpointName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[overlay.EndpointName]bool{}
	for _, name := range ports {
		there[name] = true
	}
	for at := range s.segments {
		if at.network == n && !there[at.port] {
			delete(s.segments, at)
		}
	}
}

// station finds a station, or makes room for it; nil if there is none.
func (s *stations) station(at segmentPort, mac overlay.MAC) (*segment, *knownStation) {
	g := s.segments[at]
	if g == nil {
		g = &segment{known: map[overlay.MAC]*knownStation{}, tokens: stationBurst, filled: s.now()}
		s.segments[at] = g
	}
	k := g.known[mac]
	if k == nil && len(g.known) < maxStations {
		k = &knownStation{heard: s.now()}
		g.known[mac] = k
	}
	return g, k
}

// announce sends what is known of a station if there is news, now or when there is
// a token for it.
func (s *stations) announce(at segmentPort, g *segment, mac overlay.MAC, news bool) {
	if k := g.known[mac]; news && !k.waiting {
		k.waiting = true
		g.waiting = append(g.waiting, mac)
	}
	s.send(at, g)
}

// send announces those that wait, as far as the tokens go.
func (s *stations) send(at segmentPort, g *segment) {
	now := s.now()
	g.tokens = min(stationBurst, g.tokens+now.Sub(g.filled).Seconds()*stationRate)
	g.filled = now
	for len(g.waiting) > 0 && g.tokens >= 1 {
		mac := g.waiting[0]
		g.waiting = g.waiting[1:]
		k := g.known[mac]
		if k == nil {
			continue // gone while it waited
		}
		k.waiting, k.announced = false, true
		g.tokens--
		s.put(at.event(dataplane.EventStation, mac, k.addresses))
	}
}

func (s *stations) remove(at segmentPort, g *segment, mac overlay.MAC) {
	k := g.known[mac]
	if k == nil {
		return
	}
	delete(g.known, mac)
	if k.announced {
		s.put(at.event(dataplane.EventStationGone, mac, nil))
	}
}

func (at segmentPort) event(kind dataplane.EventKind, mac overlay.MAC, addresses []netip.Addr) dataplane.Event {
	return dataplane.Event{
		Kind: kind, Network: at.network, Port: at.port,
		Station: dataplane.Station{MAC: mac, Addresses: slices.Clone(addresses)},
	}
}

// isGone reports whether the station has aged: by the bridge, or here if no bridge has it.
func (k *knownStation) isGone(now time.Time) bool {
	if !k.forgotten.IsZero() {
		return now.Sub(k.forgotten) > stationGrace
	}
	return !k.learnt && now.Sub(k.heard) > stationAge
}

func (s *stations) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, g := range s.segments {
		s.send(at, g)
		for mac, k := range g.known {
			if k.isGone(s.now()) {
				s.remove(at, g, mac)
			}
		}
	}
}
