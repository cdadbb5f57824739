package kernel

import (
	"iter"
	"maps"
	"net/netip"

	"weft/overlay"
)

// many are the objects of a network that there are very many of: the FDB entries of
// stations on other nodes, and the neighbours. Held as objects, once as wanted and once
// as found, they take several times the memory of the State that they follow from. So
// each is compared when the host tells of it; what is remembered is only which were as
// wanted, and objects are made of the others, some at a time.
//
// The nil many has none: then all that is found becomes an object.
type many struct {
	of *wantedNetwork
	// Those that were found as wanted.
	tunnels, stations map[overlay.MAC]struct{}
	neighbors         map[netip.Addr]struct{}
}

// newMany returns nil for a network whose stations are not in the kernel's tables: that of
// programs, and a routed one, where there is an object per node.
func newMany(of *wantedNetwork) *many {
	if of == nil || of.net.Kind == overlay.Routed || of.net.Plane == overlay.PlaneEBPF {
		return nil
	}
	return &many{
		of:        of,
		tunnels:   make(map[overlay.MAC]struct{}, len(of.net.Remotes)),
		stations:  make(map[overlay.MAC]struct{}, len(of.net.Remotes)),
		neighbors: make(map[netip.Addr]struct{}, len(of.net.Neighbors)),
	}
}

// tunnel takes in that the host has an entry, and reports whether it is one of the many.
func (m *many) tunnel(k TunnelKey, vtep netip.Addr) bool {
	if m == nil || has(m.of.frame.Tunnels, k) {
		return false
	}
	want, ok := m.of.tunnel(k)
	if ok {
		found(m.tunnels, k.MAC, vtep == want)
	}
	return ok
}

// station is tunnel for an entry of the bridge.
func (m *many) station(k StationKey, s Station) bool {
	if m == nil || has(m.of.frame.Stations, k) {
		return false
	}
	want, ok := m.of.station(k)
	if ok {
		found(m.stations, k.MAC, s == want)
	}
	return ok
}

// neighbor is tunnel for a neighbour.
func (m *many) neighbor(k NeighborKey, mac overlay.MAC) bool {
	if m == nil || has(m.of.frame.Neighbors, k) {
		return false
	}
	want, ok := m.of.neighbor(k)
	if ok {
		found(m.neighbors, k.Address, mac == want)
	}
	return ok
}

func found[K comparable](in map[K]struct{}, k K, asWanted bool) {
	if asWanted {
		in[k] = struct{}{}
	} else {
		delete(in, k) // told twice
	}
}

// lose takes in that a link is to be replaced, or is not there: its entries go with it.
func (m *many) lose(link string) {
	switch {
	case m == nil:
	case link == bridgeName:
		clear(m.stations)
		clear(m.neighbors)
	default:
		if link == tunnelName {
			clear(m.tunnels)
		}
		maps.DeleteFunc(m.stations, func(mac overlay.MAC, _ struct{}) bool { return uplinkTo(m.of.net, m.of.net.Remotes[mac]) == link })
	}
}

// count is how many there are to be, and how many of them there are.
func (m *many) count() (wanted, there int) {
	if m == nil {
		return 0, 0
	}
	each := 2 // in the FDB of the vxlan link, and of the bridge
	if hasMemberLinks(m.of.net) {
		each = 1
	}
	for _, node := range m.of.net.Remotes {
		if has(m.of.net.Members, node) {
			wanted += each
		}
	}
	wanted += len(m.of.net.Neighbors)
	return wanted, len(m.tunnels) + len(m.stations) + len(m.neighbors)
}

// partSize is how many remote stations or neighbours are made objects of at a time: few enough
// for their ops to be nothing beside the State of a large network, and enough for
// most networks to be one part.
const partSize = 1000

// missing are those that are not there, or different, some at a time: neighbours
// last.
func (m *many) missing() iter.Seq[Objects] {
	return func(yield func(Objects) bool) {
		if m == nil {
			return
		}
		l, size := lowering{NewObjects(), m.of.ns, m.of.net}, 0
		// give yields the objects so far if they are as many as that.
		give := func(most int) bool {
			if size < most {
				return true
			}
			o := m.without(l.Objects)
			l.Objects, size = NewObjects(), 0
			return yield(o)
		}
		for mac, node := range l.n.Remotes {
			if has(m.stations, mac) && (has(m.tunnels, mac) || hasMemberLinks(l.n)) {
				continue
			}
			l.remote(mac, node)
			if size++; !give(partSize) {
				return
			}
		}
		for ip, mac := range l.n.Neighbors {
			if has(m.neighbors, ip) {
				continue
			}
			l.neighbor(ip, mac)
			if size++; !give(partSize) {
				return
			}
		}
		give(1)
	}
}

// without takes away those that were found as wanted: of a station one entry can be
// missing, and the other be there.
func (m *many) without(o Objects) Objects {
	maps.DeleteFunc(o.Tunnels, func(k TunnelKey, _ netip.Addr) bool { return has(m.tunnels, k.MAC) })
	maps.DeleteFunc(o.Stations, func(k StationKey, _ Station) bool { return has(m.stations, k.MAC) })
	return o
}

func has[K comparable, V any](m map[K]V, k K) bool {
	_, ok := m[k]
	return ok
}
