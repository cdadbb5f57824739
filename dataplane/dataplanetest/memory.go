package dataplanetest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"weft/dataplane"
	"weft/overlay"
)

// errClosed: the plane was closed.
var errClosed = errors.New("the plane is closed")

// Memory is a plane that forwards in this process, by [Forward]. The zero value
// is not usable; see NewMemory.
type Memory struct {
	mu      sync.Mutex
	applied dataplane.State
	state   dataplane.State // applied, with the networks that are held
	learnt  Stations
	storms  storms
	drops   map[overlay.NetworkName]map[overlay.DropReason]uint64
	unknown map[overlay.DropReason]uint64 // packets of no network here
	closed  bool
	events  *events
	// mayFlood says whether a port may flood one frame more; that of storms.
	mayFlood func(Place) bool
}

// NewMemory returns a plane with nothing on it. It has to be closed.
func NewMemory() *Memory {
	m := &Memory{
		learnt:  Stations{},
		storms:  storms{},
		drops:   map[overlay.NetworkName]map[overlay.DropReason]uint64{},
		unknown: map[overlay.DropReason]uint64{},
		events:  newEvents(),
	}
	m.mayFlood = m.storms.mayFlood
	return m
}

// Apply implements dataplane.Plane.
func (m *Memory) Apply(ctx context.Context, want dataplane.State, since *dataplane.Delta) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	if since != nil && since.From == m.applied.Generation && since.To == want.Generation {
		want = m.applied.With(*since)
	} else {
		want = want.Clone() // it is only lent
	}
	next := want
	next.Networks = m.withHeld(want)
	m.forget(next)
	m.recall(next)
	m.applied, m.state = want, next
	return nil
}

// withHeld adds the networks that stay as they are.
func (m *Memory) withHeld(next dataplane.State) map[overlay.NetworkName]dataplane.Network {
	networks := maps.Clone(next.Networks)
	if networks == nil {
		networks = map[overlay.NetworkName]dataplane.Network{}
	}
	for name := range next.Held {
		if n, ok := m.state.Networks[name]; ok {
			networks[name] = n
		}
	}
	return networks
}

// forget drops the stations whose port has gone, and those that the registry now
// has on another node; and how much gone ports have flooded.
func (m *Memory) forget(next dataplane.State) {
	for name, stations := range m.learnt {
		n := next.Networks[name]
		for mac, port := range stations {
			_, there := n.Ports[port]
			_, elsewhere := n.Remotes[mac]
			if !there || elsewhere {
				delete(stations, mac)
			}
		}
	}
	maps.DeleteFunc(m.storms, func(at Place, _ time.Time) bool { _, there := next.Networks[at.Network].Ports[at.Port]; return !there })
	for name := range m.drops {
		if _, ok := next.Networks[name]; !ok {
			delete(m.drops, name)
		}
	}
}

// recall learns what the registry has behind the segment ports that are new, and
// nowhere else.
func (m *Memory) recall(next dataplane.State) {
	for name, n := range next.Networks {
		for _, p := range n.Ports {
			if _, had := m.state.Networks[name].Ports[p.Name]; had {
				continue
			}
			for _, mac := range p.Stations {
				if _, elsewhere := n.Remotes[mac]; !elsewhere {
					m.behind(name)[mac] = p.Name
				}
			}
		}
	}
}

// behind are the stations that are learnt in a network.
func (m *Memory) behind(name overlay.NetworkName) map[overlay.MAC]overlay.EndpointName {
	if m.learnt[name] == nil {
		m.learnt[name] = map[overlay.MAC]overlay.EndpointName{}
	}
	return m.learnt[name]
}

// Inject forwards a frame that comes in at a place, and returns what comes out.
func (m *Memory) Inject(at Place, frame []byte) []Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := Forward(m.state, m.learnt, at, frame)
	if r.Tunnel != "" {
		at = Place{r.Network, r.Tunnel}
	}
	if !r.Seen.IsZero() {
		m.learn(at, r.Seen)
	}
	if r.Flooded > 0 && !m.mayFlood(at) {
		r = r.heldBack()
	}
	if r.Drop != "" {
		m.count(r.Network, r.Drop)
	}
	return r.Deliveries
}

// learn announces a station that is new behind a port. One that the registry has on
// another node is announced and not learnt: it may have moved here.
func (m *Memory) learn(at Place, mac overlay.MAC) {
	stations := m.behind(at.Network)
	if stations[mac] == at.Port {
		return
	}
	if _, elsewhere := m.state.Networks[at.Network].Remotes[mac]; !elsewhere {
		stations[mac] = at.Port
	}
	m.events.send(dataplane.Event{
		Kind: dataplane.EventStation, Network: at.Network, Port: at.Port,
		Station: dataplane.Station{MAC: mac},
	})
}

func (m *Memory) count(name overlay.NetworkName, why overlay.DropReason) {
	if name == "" {
		m.unknown[why]++
		return
	}
	if m.drops[name] == nil {
		m.drops[name] = map[overlay.DropReason]uint64{}
	}
	m.drops[name][why]++
}

// Events implements dataplane.Plane: stations only.
func (m *Memory) Events() <-chan dataplane.Event { return m.events.out }

// Close implements dataplane.Plane. Inject goes on forwarding.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		m.events.close()
	}
	return nil
}
