package ebpf

import (
	"context"
	"errors"
	"fmt"
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
		if s.Learnt == 0 && p.isUnknown(s) {
			p.unlearnt.Add(1)
		}
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

// isUnknown reports whether nothing says where a station is.
func (p *Programs) isUnknown(s programsSighting) bool {
	var there programsStation
	err := p.objects.Stations.Lookup(programsStationKey{Vni: s.Who.Vni, Mac: s.Who.Mac}, &there)
	return errors.Is(err, ebpf.ErrKeyNotExist)
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
		old, err := p.aged(stationAge)
		if err != nil {
			p.log.Error("not all stations behind segment ports age", "err", err)
		}
		for k, s := range old {
			if at, ok := p.segments.find(s.Port); ok {
				sighted(kernel.Sighting{Network: at.network, Port: at.port, MAC: k.Mac.Byte, Gone: true})
			}
		}
		if n := p.unlearnt.Swap(0); n > 0 {
			p.log.Warn("stations behind segment ports are not learnt: the map stations is full", "heard", n, "room", p.objects.Stations.MaxEntries())
		}
	}
}

// aged takes away the learnt stations that were not heard for so long, and returns them; those
// that it got to, if there is an error.
func (p *Programs) aged(after time.Duration) (map[programsStationKey]programsStation, error) {
	now, err := sinceBoot()
	if err != nil {
		return nil, err
	}
	oldest := int64(now - after)
	old := map[programsStationKey]programsStation{}
	err = scan(p.objects.Stations, func(k programsStationKey, s programsStation) {
		if isOlder(s, oldest) {
			old[k] = s
		}
	})
	for k := range old {
		gone, e := p.expire(k, oldest)
		if err = errors.Join(err, e); !gone {
			delete(old, k)
		}
	}
	return old, err
}

// isOlder reports whether a station is a learnt one that was last heard before then.
func isOlder(s programsStation, than int64) bool {
	return s.Flags&stationLearnt != 0 && int64(s.Seen) < than
}

// expire takes a station away if it is that old now: it may have been heard since it was read.
func (p *Programs) expire(k programsStationKey, oldest int64) (gone bool, err error) {
	var s programsStation
	switch err := p.objects.Stations.LookupAndDelete(k, &s); {
	case errors.Is(err, ebpf.ErrKeyNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("delete from map stations: %w", err)
	case isOlder(s, oldest):
		return true, nil
	}
	err = p.objects.Stations.Update(k, s, ebpf.UpdateNoExist)
	if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
		return false, fmt.Errorf("write map stations: %w", err)
	}
	return false, nil
}
