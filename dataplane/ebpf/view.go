package ebpf

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/kernel"
	"weft/overlay"
)

// The outer headers that the programs write (bpf/encap.h).
const (
	outerTTL                        = 64
	firstSourcePort, lastSourcePort = 49152, 65535
)

// View implements kernel.ProgramPass.
func (s *pass) View(n dataplane.Network, on kernel.ProgramLinks, device func(index uint32) string) (kernel.ProgramView, error) {
	now, err := sinceBoot()
	if err == nil {
		err = s.fresh()
	}
	if err != nil {
		return kernel.ProgramView{}, err
	}
	v := viewer{
		net: n, gateway: device(on.Gateway), vni: uint32(n.VNI), want: Lower(n, on, s.counters), now: now, device: device, tunnel: device(on.Tunnel),
		ports: map[uint32]overlay.EndpointName{}, nodes: map[netip.Addr]overlay.NodeName{},
	}
	v.SourcePorts, v.TTL = [2]uint16{firstSourcePort, lastSourcePort}, outerTTL
	for name, port := range on.Ports {
		v.ports[port.Index] = name
	}
	for node, m := range n.Members {
		v.nodes[m.VTEP] = node
	}
	have := s.of(v.vni)
	each(have.stations, v.station)
	each(s.learnt, v.station)
	each(have.floods, v.flood)
	each(have.neighbors, v.neighbor)
	each(have.routes, v.route)
	return v.ProgramView, nil
}

func each[K comparable, V any](entries map[K]V, f func(K, V)) {
	for k, v := range entries {
		f(k, v)
	}
}

// viewer collects the entries of one network, as people see them.
type viewer struct {
	kernel.ProgramView
	net  dataplane.Network
	vni  uint32
	want Tables
	now  time.Duration
	// tunnel is the name of the device by which tunnel packets come in.
	tunnel string
	// gateway is the name of the device by which the network's own host gets what it forwards.
	gateway string
	device  func(index uint32) string
	ports   map[uint32]overlay.EndpointName
	nodes   map[netip.Addr]overlay.NodeName
}

// unknownAge: a map does not say.
const unknownAge = -1

// origin says where an entry comes from that a map has.
func origin[K, V comparable](want map[K]V, k K, v V) dataplane.Origin {
	if w, ok := want[k]; ok && w == v {
		return dataplane.FromRegistry
	}
	return dataplane.FromStatic
}

func (v *viewer) station(k programsStationKey, s programsStation) {
	if k.Vni != v.vni {
		return
	}
	e := dataplane.FDBEntry{MAC: k.Mac.Byte, Origin: origin(v.want.stations, k, s), Age: unknownAge}
	if s.Port != 0 {
		e.Device, e.Port = v.device(s.Port), v.ports[s.Port]
	} else {
		v.behind(&e, addrOf(s.Vtep.Word))
	}
	if s.Flags&stationLearnt != 0 {
		e.Origin, e.Age = dataplane.FromLearnt, v.now-time.Duration(s.Seen)
	}
	v.FDB = append(v.FDB, e)
}

// flood adds where broadcast goes: to the all-zeros MAC, as the kernel's vxlan devices
// have it. That it goes to each port needs no saying.
func (v *viewer) flood(k programsFloodKey, f programsFlood) {
	if k.Vni != v.vni || k.Kind != floodPeer {
		return
	}
	e := dataplane.FDBEntry{Origin: origin(v.want.floods, k, f), Age: unknownAge}
	v.behind(&e, addrOf(f.Vtep.Word))
	v.FDB = append(v.FDB, e)
}

// behind says of an entry that it is at a VTEP.
func (v *viewer) behind(e *dataplane.FDBEntry, vtep netip.Addr) {
	e.Device, e.VTEP, e.Node = v.tunnel, vtep, v.nodes[vtep]
	if at, known := slices.BinarySearchFunc(v.Remotes, vtep, netip.Addr.Compare); !known {
		v.Remotes = slices.Insert(v.Remotes, at, vtep)
	}
}

func (v *viewer) neighbor(k programsAddressKey, n programsNeighbor) {
	if k.Vni != v.vni {
		return
	}
	v.Neighbors = append(v.Neighbors, dataplane.Neighbor{
		Address: addrOf(k.Ip.Word), MAC: n.Mac.Byte, State: "permanent", Origin: origin(v.want.neighbors, k, n), Age: unknownAge,
	})
}

func (v *viewer) route(k programsRouteKey, r programsRoute) {
	if k.Vni != v.vni {
		return
	}
	line := dataplane.HostRoute{Prefix: prefixOf(k), Device: v.tunnel, Type: "unicast", Origin: origin(v.want.routes, k, r)}
	switch {
	case r.Direct != 0:
		v.direct(&line)
	case r.Port != 0:
		line.Device = v.device(r.Port)
	default:
		line.Via = addrOf(r.Vtep.Word)
		line.Node = v.nodes[line.Via]
	}
	v.Routes = append(v.Routes, line)
}

// direct says of a route that the network's own host has it: by one of the network's tunnels,
// or over the underlay. What nobody wants goes to that host, and who knows where from there.
func (v *viewer) direct(line *dataplane.HostRoute) {
	line.Device = v.gateway
	if r, ok := v.net.Routes[line.Prefix]; ok {
		line.Via, line.Node = r.Via, r.Node
	}
	for _, p := range v.net.Ports {
		if p.Tunnel == nil {
			continue
		}
		for _, r := range p.Tunnel.Spec.Routes {
			if r.Prefix == line.Prefix {
				line.Device, line.Via, line.Node = p.Tunnel.Spec.Device, r.Via, ""
			}
		}
	}
}

// prefixOf is routeKey's prefix.
func prefixOf(k programsRouteKey) netip.Prefix {
	a, bits := addrOf(k.Ip.Word), int(k.PrefixLen)-vniBits
	if a.Is4() {
		bits -= mappedBits
	}
	return netip.PrefixFrom(a, bits)
}

// sinceBoot is the programs' clock (bpf_ktime_get_ns).
func sinceBoot() (time.Duration, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return time.Duration(now.Nano()), err
}
