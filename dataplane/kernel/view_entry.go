package kernel

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/dataplane/nft"
)

// age is a kernel's time ago, which it tells in ticks of 1/100 s (USER_HZ).
func age(ticks uint32) time.Duration { return time.Duration(ticks) * 10 * time.Millisecond }

// origin says where an entry comes from: wanted is set if Weft made it.
func (e fdbEntry) origin(wanted bool) dataplane.Origin {
	switch {
	case wanted:
		return dataplane.FromRegistry
	case e.made():
		return dataplane.FromStatic
	}
	return dataplane.FromLearnt
}

// fdb adds the FDB: of the vxlan link which node a MAC is behind, of the bridge
// which port, or node if a link leads to each. What the bridge says of the vxlan link the latter says
// better.
func (v *viewer) fdb(s *space, t linkTable) error {
	return s.entries(unix.AF_BRIDGE, func(e fdbEntry) {
		link := t.links[e.link]
		if t.isDefault(e) {
			v.FDB = append(v.FDB, dataplane.FDBEntry{
				MAC: e.mac, Device: link.name, Port: endpointOf(link.link.Alias), VTEP: e.ip, Origin: dataplane.FromRegistry, Age: age(e.updated),
			})
			return
		}
		if k, vtep, ok := t.tunnel(e); ok {
			want, wanted := v.net.tunnel(k)
			v.FDB = append(v.FDB, dataplane.FDBEntry{
				MAC: e.mac, Device: link.name, Port: endpointOf(link.link.Alias), VTEP: e.ip, Node: v.nodes[e.ip.String()],
				Origin: e.origin(wanted && want == vtep), Age: age(e.updated),
			})
			return
		}
		k, station, ok := t.station(e)
		if !ok || link.link.Kind == KindVXLAN || link.name == nft.BoundUplink {
			return
		}
		want, wanted := v.net.station(k)
		line := dataplane.FDBEntry{
			MAC: e.mac, Device: link.name, Port: endpointOf(link.link.Alias),
			Origin: e.origin(wanted && want == station), Age: age(e.updated),
		}
		if v.isTunnel(link) {
			line.VTEP, line.Node = link.link.Outer.Remote, v.nodes[link.link.Outer.Remote.String()]
		}
		v.FDB = append(v.FDB, line)
	})
}

// neighbors adds the neighbours of every link of the domain.
func (v *viewer) neighbors(s *space, t linkTable) error {
	return s.entries(unix.AF_UNSPEC, func(e fdbEntry) {
		k, mac, ok := t.neighbor(e)
		if !ok {
			return
		}
		want, wanted := v.net.neighbor(k)
		v.Neighbors = append(v.Neighbors, dataplane.Neighbor{
			Address: e.ip, MAC: e.mac, Device: k.Link.Name, State: stateName(e.state),
			Origin: e.origin(wanted && want == mac), Age: age(e.updated),
		})
	})
}

// stateName is a neighbour's state as ip neigh has it.
func stateName(state uint16) string {
	for _, s := range []struct {
		bit  uint16
		name string
	}{
		{unix.NUD_PERMANENT, "permanent"}, {unix.NUD_NOARP, "noarp"}, {unix.NUD_REACHABLE, "reachable"},
		{unix.NUD_STALE, "stale"}, {unix.NUD_DELAY, "delay"}, {unix.NUD_PROBE, "probe"},
		{unix.NUD_INCOMPLETE, "incomplete"}, {unix.NUD_FAILED, "failed"},
	} {
		if state&s.bit != 0 {
			return s.name
		}
	}
	return "none"
}

// routes adds the routes of the domain, and those on the host that lead to the
// network's blocks without encapsulation.
func (v *viewer) routes(s *space, t linkTable) error {
	if err := s.routes(0, func(r hostRoute) {
		if k, route, ok := t.route(r); ok {
			want, wanted := v.want.Routes[k]
			v.route(k, route, wanted && want == route)
		}
	}); err != nil {
		return err
	}
	if !hasDirect(v.net.net) {
		return nil
	}
	host := NewObjects()
	lowerHostRoutes(host, v.net.net)
	have, err := v.hand.observeHost(host)
	if err != nil {
		return err
	}
	for k, route := range have.Routes {
		if _, wanted := host.Routes[k]; wanted {
			v.route(k, route, true)
		}
	}
	return nil
}

func (v *viewer) route(k RouteKey, r Route, wanted bool) {
	line := dataplane.HostRoute{
		Prefix: k.Prefix, Via: r.Via, Device: r.Device, Type: "unicast", Namespace: k.NS.label(),
		Node: v.net.net.Routes[k.Prefix].Node, Origin: dataplane.FromStatic,
	}
	if r.Unreachable {
		line.Type = "unreachable"
	}
	if wanted {
		line.Origin = dataplane.FromRegistry
	}
	v.Routes = append(v.Routes, line)
}

// sort puts everything into an order that does not depend on the kernel's.
func (v *viewer) sort() {
	slices.SortFunc(v.Links, func(a, b dataplane.Link) int {
		return cmp.Or(-compareBool(a.Tunnel != nil, b.Tunnel != nil), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Port, b.Port), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Device, b.Device))
	})
	slices.SortFunc(v.FDB, func(a, b dataplane.FDBEntry) int {
		return cmp.Or(compareMAC(a.MAC, b.MAC), cmp.Compare(a.Device, b.Device), a.VTEP.Compare(b.VTEP))
	})
	slices.SortFunc(v.Neighbors, func(a, b dataplane.Neighbor) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Device, b.Device))
	})
	slices.SortFunc(v.Routes, func(a, b dataplane.HostRoute) int {
		return cmp.Or(comparePrefix(a.Prefix, b.Prefix), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Device, b.Device))
	})
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
