package ebpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"weft/overlay"
)

// read reads the entries of all networks from the programs' maps, by VNI. Learnt
// stations are not among them: they are the programs' own.
func (p *Programs) read() (map[uint32]Tables, error) {
	all := map[uint32]Tables{}
	of := func(vni uint32) Tables {
		if _, ok := all[vni]; !ok {
			all[vni] = newTables()
		}
		return all[vni]
	}
	owners := map[uint32]uint32{} // of the ports
	err := errors.Join(
		scan(p.objects.Ports, func(k uint32, v programsPort) { of(v.Vni).ports[k] = v; owners[k] = v.Vni }),
		scan(p.objects.Networks, func(k uint32, v programsNetwork) { of(k).networks[k] = v }),
		scan(p.objects.Stations, func(k programsStationKey, v programsStation) {
			if v.Flags&stationLearnt == 0 {
				of(k.Vni).stations[k] = v
			}
		}),
		scan(p.objects.Neighbors, func(k programsAddressKey, v programsNeighbor) { of(k.Vni).neighbors[k] = v }),
		scan(p.objects.Members, func(k programsAddressKey, v uint32) { of(k.Vni).members[k] = v }),
		scan(p.objects.Allowed, func(k programsAllowedKey, v uint8) { of(owners[k.Port]).allowed[k] = v }),
		scan(p.objects.Routes, func(k programsRouteKey, v programsRoute) { of(k.Vni).routes[k] = v }),
		scan(p.objects.Pairs, func(k programsPairKey, vni uint32) { of(vni).pairs[k] = vni }),
		scan(p.objects.Floods, func(k programsFloodKey, v programsFlood) { of(k.Vni).floods[k] = v }),
	)
	if err != nil {
		return nil, err
	}
	return all, p.readTunnels(all)
}

// readTunnels adds to networks those of their tunnels that are there: several may have one.
func (p *Programs) readTunnels(all map[uint32]Tables) error {
	there := map[programsTunnelKey]uint32{}
	err := scan(p.objects.Tunnels, func(k programsTunnelKey, v uint32) { there[k] = v })
	for vni, t := range all {
		for _, k := range tunnelsOf(t.networks[vni]) {
			if v, ok := there[k]; ok {
				t.tunnels[k] = v
			}
		}
	}
	return err
}

// readPorts reads the entries of a network that are by device.
func (p *Programs) readPorts(v overlay.VNI) (map[uint32]programsPort, map[programsAllowedKey]uint8, error) {
	t := newTables()
	err := errors.Join(
		scan(p.objects.Ports, func(k uint32, port programsPort) {
			if port.Vni == uint32(v) {
				t.ports[k] = port
			}
		}),
		scan(p.objects.Allowed, func(k programsAllowedKey, v uint8) {
			if _, ok := t.ports[k.Port]; ok {
				t.allowed[k] = v
			}
		}),
	)
	return t.ports, t.allowed, err
}

// scan calls f with each entry of a map.
func scan[K, V any](m *ebpf.Map, f func(K, V)) error {
	var k K
	var v V
	entries := m.Iterate()
	for entries.Next(&k, &v) {
		f(k, v)
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("read map %s: %w", m.String(), err)
	}
	return nil
}

// write makes a network's entries the wanted ones. What a packet needs last is written
// first, and taken away last: it finds the old way or the new one.
func (p *Programs) write(want, have Tables) error {
	o := p.objects
	add := errors.Join(
		put(o.Allowed, want.allowed, have.allowed),
		put(o.Neighbors, want.neighbors, have.neighbors),
		put(o.Stations, want.stations, have.stations),
		put(o.Routes, want.routes, have.routes),
		put(o.Floods, want.floods, have.floods),
		put(o.Networks, want.networks, have.networks),
		put(o.Ports, want.ports, have.ports),
		put(o.Members, want.members, have.members),
		put(o.Pairs, want.pairs, have.pairs),
		put(o.Tunnels, want.tunnels, have.tunnels),
	)
	if add != nil {
		return add
	}
	if err := p.retire(want, have); err != nil {
		return err
	}
	return errors.Join(
		p.unlearnBehind(compare(want.ports, have.ports).gone, have.ports),
		remove(o.Members, want.members, have.members),
		remove(o.Pairs, want.pairs, have.pairs),
		remove(o.Ports, want.ports, have.ports),
		remove(o.Networks, want.networks, have.networks),
		remove(o.Floods, want.floods, have.floods),
		remove(o.Routes, want.routes, have.routes),
		remove(o.Stations, want.stations, have.stations),
		remove(o.Neighbors, want.neighbors, have.neighbors),
		remove(o.Allowed, want.allowed, have.allowed),
	)
}

// unlearnBehind takes away the stations that were learnt behind ports that are gone.
func (p *Programs) unlearnBehind(gone map[uint32]struct{}, ports map[uint32]programsPort) error {
	for index := range gone {
		if ports[index].Flags&portSegment != 0 {
			return p.unlearn(func(_ programsStationKey, s programsStation) bool { _, ok := gone[s.Port]; return ok })
		}
	}
	return nil
}

func put[K, V comparable](m *ebpf.Map, want, have map[K]V) error {
	for k, v := range want {
		if old, ok := have[k]; ok && old == v {
			continue
		}
		if err := m.Put(k, v); err != nil {
			return fmt.Errorf("write map %s: %w", m.String(), err)
		}
	}
	return nil
}

func remove[K, V comparable](m *ebpf.Map, want, have map[K]V) error {
	for k := range have {
		if _, ok := want[k]; ok {
			continue
		}
		if err := m.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete from map %s: %w", m.String(), err)
		}
	}
	return nil
}

// forget takes away what the programs have learnt and counted of a network.
func (p *Programs) forget(v overlay.VNI) error {
	p.places.remove(v)
	return errors.Join(
		p.unlearn(func(k programsStationKey, _ programsStation) bool { return k.Vni == uint32(v) }),
		purge(p.objects.Drops, func(k programsDropKey, _ []programsTally) bool { return k.Vni == uint32(v) }),
		purge(p.objects.Retired, func(k uint32, _ programsTotals) bool { return k == uint32(v) }),
	)
}

// unlearn takes away those of the learnt stations that match.
func (p *Programs) unlearn(match func(programsStationKey, programsStation) bool) error {
	return purge(p.objects.Stations, func(k programsStationKey, s programsStation) bool {
		return s.Flags&stationLearnt != 0 && match(k, s)
	})
}

// purge deletes those of a map's entries that match.
func purge[K, V any](m *ebpf.Map, match func(K, V) bool) error {
	var found []K
	err := scan(m, func(k K, v V) {
		if match(k, v) {
			found = append(found, k)
		}
	})
	for _, k := range found {
		if e := m.Delete(k); e != nil && !errors.Is(e, ebpf.ErrKeyNotExist) {
			err = errors.Join(err, fmt.Errorf("delete from map %s: %w", m.String(), e))
		}
	}
	return err
}
