package ebpf

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"weft/dataplane"
	"weft/overlay"
)

// Tables are the entries of the programs' maps for one network, or one tunnel to a peer that
// Weft does not manage.
type Tables struct {
	ports     map[uint32]programsPort
	networks  map[uint32]programsNetwork
	stations  map[programsStationKey]programsStation
	neighbors map[programsAddressKey]programsNeighbor
	members   map[programsAddressKey]uint32
	allowed   map[programsAllowedKey]uint8
	routes    map[programsRouteKey]programsRoute
	floods    map[programsFloodKey]programsFlood
	tunnels   map[programsTunnelKey]uint32
	pairs     map[programsPairKey]uint32
	ends      map[uint32]programsEnd
	arrivals  map[programsArrivalKey]uint32
}

// newTables returns Tables that can be added to.
func newTables() Tables {
	return Tables{
		ports:     map[uint32]programsPort{},
		networks:  map[uint32]programsNetwork{},
		stations:  map[programsStationKey]programsStation{},
		neighbors: map[programsAddressKey]programsNeighbor{},
		members:   map[programsAddressKey]uint32{},
		allowed:   map[programsAllowedKey]uint8{},
		routes:    map[programsRouteKey]programsRoute{},
		floods:    map[programsFloodKey]programsFlood{},
		tunnels:   map[programsTunnelKey]uint32{},
		pairs:     map[programsPairKey]uint32{},
		ends:      map[uint32]programsEnd{},
		arrivals:  map[programsArrivalKey]uint32{},
	}
}

// tablesFor returns Tables that have room for a network: its remote endpoints are what there
// may be many of, and a table that grows leaves behind as much again.
func tablesFor(n dataplane.Network) Tables {
	t := newTables()
	t.stations = make(map[programsStationKey]programsStation, len(n.Remotes)+len(n.Ports))
	t.neighbors = make(map[programsAddressKey]programsNeighbor, len(n.Neighbors)+len(n.Gateways))
	return t
}

// Len counts the entries.
func (t Tables) Len() int {
	return len(t.ports) + len(t.networks) + len(t.stations) + len(t.neighbors) + len(t.members) +
		len(t.allowed) + len(t.routes) + len(t.floods) + len(t.tunnels) + len(t.pairs) + len(t.ends) + len(t.arrivals)
}

// changes are what makes a table that has entries have others.
type changes[K comparable, V comparable] struct {
	set  map[K]V
	gone map[K]struct{}
}

func compare[K, V comparable](want, have map[K]V) changes[K, V] {
	c := changes[K, V]{map[K]V{}, map[K]struct{}{}}
	for k, v := range want {
		if old, ok := have[k]; !ok || old != v {
			c.set[k] = v
		}
	}
	for k := range have {
		if _, ok := want[k]; !ok {
			c.gone[k] = struct{}{}
		}
	}
	return c
}

func (c changes[K, V]) len() int { return len(c.set) + len(c.gone) }

// differing says in how many entries of which maps two differ, a line each.
func differing(want, have Tables) (lines []string) {
	for _, table := range []struct {
		name  string
		wrong int
	}{
		{"ports", compare(want.ports, have.ports).len()},
		{"networks", compare(want.networks, have.networks).len()},
		{"stations", compare(want.stations, have.stations).len()},
		{"neighbors", compare(want.neighbors, have.neighbors).len()},
		{"members", compare(want.members, have.members).len()},
		{"allowed", compare(want.allowed, have.allowed).len()},
		{"routes", compare(want.routes, have.routes).len()},
		{"floods", compare(want.floods, have.floods).len()},
		{"tunnels", compare(want.tunnels, have.tunnels).len()},
		{"pairs", compare(want.pairs, have.pairs).len()},
		{"ends", compare(want.ends, have.ends).len()},
		{"arrivals", compare(want.arrivals, have.arrivals).len()},
	} {
		if table.wrong > 0 {
			lines = append(lines, fmt.Sprintf("%d entries of the map %s", table.wrong, table.name))
		}
	}
	return lines
}

// wordsOf is an IP address as the programs have it: in network order, IPv4 mapped
// into IPv6 (RFC 4291 section 2.5.5.2).
func wordsOf(a netip.Addr) (w [4]uint32) {
	b := a.As16()
	for i := range w {
		w[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return w
}

func addrOf(w [4]uint32) netip.Addr {
	var b [16]byte
	for i := range w {
		binary.NativeEndian.PutUint32(b[4*i:], w[i])
	}
	return netip.AddrFrom16(b).Unmap()
}

func addressKey(vni overlay.VNI, a netip.Addr) (k programsAddressKey) {
	k.Vni, k.Ip.Word = uint32(vni), wordsOf(a)
	return k
}

func stationKey(vni overlay.VNI, mac overlay.MAC) (k programsStationKey) {
	k.Vni, k.Mac.Byte = uint32(vni), mac
	return k
}

// networkOrder is a port number as it stands in a packet.
func networkOrder(port uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port))
}
