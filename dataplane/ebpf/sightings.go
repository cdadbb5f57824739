package ebpf

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"weft/dataplane/kernel"
	"weft/overlay"
)

const (
	// stationAge is how long a station is remembered that says nothing: a bridge's default.
	stationAge = 5 * time.Minute
	// ageEvery paces the search for such.
	ageEvery = 10 * time.Second
)

// segments are the ports behind which stations are learnt, by interface index.
type segments struct {
	mu sync.Mutex
	at map[uint32]segment
}

type segment struct {
	network overlay.NetworkName
	port    overlay.EndpointName
}

// keep remembers a network's.
func (s *segments) keep(name overlay.NetworkName, ports map[uint32]overlay.EndpointName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for index, at := range s.at {
		if at.network == name {
			delete(s.at, index)
		}
	}
	for index, port := range ports {
		s.at[index] = segment{name, port}
	}
}

func (s *segments) find(index uint32) (segment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[index]
	return at, ok
}

func (s *segments) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.at) > 0
}

// hear tells of the stations that the programs hear, until ctx ends.
func (p *Programs) hear(ctx context.Context, sighted func(kernel.Sighting)) error {
	return follow(ctx, p.objects.Sightings, func(s programsSighting) {
		at, ok := p.segments.find(s.Port)
		if !ok {
			return // the port has gone meanwhile
		}
		sighting := kernel.Sighting{Network: at.network, Port: at.port, MAC: s.Who.Mac.Byte, Learnt: s.Learnt != 0}
		if s.Who.Ip.Word != [4]uint32{} {
			sighting.Address = addrOf(s.Who.Ip.Word)
		}
		sighted(sighting)
	})
}

// age forgets learnt stations that have said nothing for long, until ctx ends.
func (p *Programs) age(ctx context.Context, sighted func(kernel.Sighting)) {
	tick := time.NewTicker(ageEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !p.segments.any() {
			continue
		}
		for k, s := range p.aged(stationAge) {
			if at, ok := p.segments.find(s.Port); ok {
				sighted(kernel.Sighting{Network: at.network, Port: at.port, MAC: k.Mac.Byte, Gone: true})
			}
		}
	}
}

// aged takes away the learnt stations that were not heard for so long, and returns them.
func (p *Programs) aged(after time.Duration) map[programsStationKey]programsStation {
	now, err := sinceBoot()
	if err != nil {
		return nil // not on Linux
	}
	oldest := int64(now - after)
	old := map[programsStationKey]programsStation{}
	if err := scan(p.objects.Stations, func(k programsStationKey, s programsStation) {
		if s.Flags&stationLearnt != 0 && int64(s.Seen) < oldest {
			old[k] = s
		}
	}); err != nil {
		return nil // the map changed beneath: the next tick finds them
	}
	for k := range old {
		if err := p.objects.Stations.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			delete(old, k)
		}
	}
	return old
}
