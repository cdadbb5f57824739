package ebpf

import (
	"errors"

	"weft/dataplane"
	"weft/overlay"
)

// reading is what the maps hold, by VNI or by the owner that a tunnel's end is.
type reading struct {
	tables map[uint32]Tables
	// learnt are the stations that programs have learnt: these are their own.
	learnt map[programsStationKey]programsStation
}

// of are a network's tables.
func (r reading) of(vni uint32) Tables {
	t, ok := r.tables[vni]
	if !ok {
		t = newTables()
		r.tables[vni] = t
	}
	return t
}

// read reads the entries of all networks.
func (p *Programs) read() (reading, error) {
	r := reading{map[uint32]Tables{}, map[programsStationKey]programsStation{}}
	owners := map[uint32]uint32{} // of the ports
	err := errors.Join(
		scan(p.objects.Ports, func(k uint32, v programsPort) { r.of(v.Vni).ports[k] = v; owners[k] = v.Vni }),
		scan(p.objects.Networks, func(k uint32, v programsNetwork) { r.of(k).networks[k] = v }),
		scan(p.objects.Stations, func(k programsStationKey, v programsStation) {
			if v.Flags&stationLearnt != 0 {
				r.learnt[k] = v
			} else {
				r.of(k.Vni).stations[k] = v
			}
		}),
		scan(p.objects.Neighbors, func(k programsAddressKey, v programsNeighbor) { r.of(k.Vni).neighbors[k] = v }),
		scan(p.objects.Members, func(k programsAddressKey, v uint32) { r.of(k.Vni).members[k] = v }),
		scan(p.objects.Allowed, func(k programsAllowedKey, v uint8) { r.of(owners[k.Port]).allowed[k] = v }),
		scan(p.objects.Routes, func(k programsRouteKey, v programsRoute) { r.of(k.Vni).routes[k] = v }),
		scan(p.objects.Pairs, func(k programsPairKey, vni uint32) { r.of(vni).pairs[k] = vni }),
		scan(p.objects.Ends, func(k uint32, v programsEnd) { r.of(endOwner(k)).ends[k] = v }),
		scan(p.objects.Arrivals, func(k programsArrivalKey, end uint32) { r.of(endOwner(end)).arrivals[k] = end }),
		scan(p.objects.Floods, func(k programsFloodKey, v programsFlood) { r.of(k.Vni).floods[k] = v }),
	)
	return r, errors.Join(err, p.readTunnels(r.tables))
}

// readTunnels adds to networks those of their tunnels that are there: several may have one.
func (p *Programs) readTunnels(all map[uint32]Tables) error {
	there := map[programsTunnelKey]uint32{}
	err := scan(p.objects.Tunnels, func(k programsTunnelKey, v uint32) { there[k] = v })
	for vni, t := range all {
		for k := range t.arriving(vni) {
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

// write makes a network's entries the wanted ones. What a packet needs last is written
// first, and taken away last: it finds the old way or the new one. Only where there is no room
// for what comes, what goes is taken away before.
func (p *Programs) write(want, have Tables) error {
	err := p.add(want, have)
	if err != nil && !onlyFull(err) {
		return err
	}
	if e := p.take(want, have); e != nil || err == nil {
		return e
	}
	return p.add(want, have)
}

// fill is write for a network, which forwards on where it has not all found room: that is
// told, here and whenever the network is compared, and tried again then.
func (p *Programs) fill(n dataplane.Network, want, have Tables) error {
	err := p.write(want, have)
	delete(p.full, n.VNI)
	if err == nil || !onlyFull(err) {
		return err
	}
	p.full[n.VNI] = err
	p.log.Error("a network is too large for the programs' maps", "network", n.Name, "err", err)
	return nil
}

// add writes what is missing.
func (p *Programs) add(want, have Tables) error {
	o := p.objects
	return errors.Join(
		put(o.Allowed, "allowed", want.allowed, have.allowed),
		put(o.Neighbors, "neighbors", want.neighbors, have.neighbors),
		put(o.Stations, "stations", here(want.stations), have.stations), // there is room for these, if for any
		put(o.Stations, "stations", want.stations, have.stations),
		put(o.Routes, "routes", want.routes, have.routes),
		put(o.Floods, "floods", want.floods, have.floods),
		put(o.Members, "members", want.members, have.members),
		put(o.Ports, "ports", want.ports, have.ports),
		put(o.Networks, "networks", want.networks, have.networks),
		put(o.Pairs, "pairs", want.pairs, have.pairs),
		put(o.Ends, "ends", want.ends, have.ends),
		put(o.Arrivals, "arrivals", want.arrivals, have.arrivals),
		put(o.Tunnels, "tunnels", want.tunnels, have.tunnels),
	)
}

// here are the stations behind ports of this node.
func here(stations map[programsStationKey]programsStation) map[programsStationKey]programsStation {
	ours := map[programsStationKey]programsStation{}
	for k, s := range stations {
		if s.Port != 0 {
			ours[k] = s
		}
	}
	return ours
}

// take takes away what is too many.
func (p *Programs) take(want, have Tables) error {
	o := p.objects
	if err := p.retire(want, have); err != nil {
		return err
	}
	return errors.Join(
		p.unlearnBehind(compare(want.ports, have.ports).gone, have.ports),
		remove(o.Arrivals, "arrivals", want.arrivals, have.arrivals),
		remove(o.Ends, "ends", want.ends, have.ends),
		remove(o.Pairs, "pairs", want.pairs, have.pairs),
		remove(o.Networks, "networks", want.networks, have.networks),
		remove(o.Ports, "ports", want.ports, have.ports),
		remove(o.Members, "members", want.members, have.members),
		remove(o.Floods, "floods", want.floods, have.floods),
		remove(o.Routes, "routes", want.routes, have.routes),
		remove(o.Stations, "stations", want.stations, have.stations),
		remove(o.Neighbors, "neighbors", want.neighbors, have.neighbors),
		remove(o.Allowed, "allowed", want.allowed, have.allowed),
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
