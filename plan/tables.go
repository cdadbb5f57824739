package plan

import (
	"slices"

	"weft/overlay"
)

// tables are the FDB and the neighbours of a bridged network in the making.
//
// Time goes into waiting for memory: endpoints lie all over it, and so do the
// slots of a large map. A loop that only reads has many of its cache misses
// under way at once, one that hashes in between waits for each; so a node's
// endpoints are read first and entered then, by index, as hashing a copy that
// was just written waits too.
type tables struct {
	remotes   map[overlay.MAC]overlay.NodeName
	neighbors map[address]overlay.MAC
	// entered counts the addresses.
	entered int

	// stations and entries are of one node at a time.
	stations []station
	entries  []entry
}

type station struct {
	mac       overlay.MAC
	addresses []address
}

type entry struct {
	address
	mac overlay.MAC
}

func newTables(stations, addresses int) *tables {
	return &tables{
		remotes:   make(map[overlay.MAC]overlay.NodeName, stations),
		neighbors: make(map[address]overlay.MAC, addresses),
	}
}

// enter adds what is on a node.
func (t *tables) enter(f *frame, node overlay.NodeName, remote bool, endpoints []*overlay.Endpoint) {
	t.read(f, endpoints)
	t.list()
	if remote {
		for i := range t.stations {
			t.remotes[t.stations[i].mac] = node
		}
	}
	for i := range t.entries {
		t.neighbors[t.entries[i].address] = t.entries[i].mac
	}
	t.entered += len(t.entries)
}

// contested: of what was entered, several had something in common. A MAC that
// several have shows by its link-local address.
func (t *tables) contested() bool { return len(t.neighbors) < t.entered }

// read lists a node's stations.
func (t *tables) read(f *frame, endpoints []*overlay.Endpoint) {
	t.stations = slices.Grow(t.stations[:0], len(endpoints))
	for _, e := range endpoints {
		if f.hasMAC(e) {
			t.stations = append(t.stations, station{e.Spec.MAC, e.Spec.Addresses})
		}
	}
}

// list lists the stations' addresses, the link-local one last, as ips does.
func (t *tables) list() {
	size := 0
	for i := range t.stations {
		size += len(t.stations[i].addresses) + 1
	}
	t.entries = slices.Grow(t.entries[:0], size)[:size]
	next := t.entries
	for i := range t.stations {
		s := &t.stations[i]
		for j := range s.addresses {
			next[j] = entry{s.addresses[j], s.mac}
		}
		next[len(s.addresses)] = entry{s.mac.LinkLocal(), s.mac}
		next = next[len(s.addresses)+1:]
	}
}
