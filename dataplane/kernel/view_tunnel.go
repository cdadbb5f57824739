package kernel

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/overlay"
)

// viewTunnels are the tunnels that stand alone as people see them; without entries, as far as
// is asked for all the time.
func (p *Plane) viewTunnels(h *hand, entries bool) (map[overlay.TunnelName]dataplane.NetworkView, error) {
	if len(p.want.Tunnels) == 0 {
		return nil, nil
	}
	o, err := p.readTunnels(h, LowerTunnels(p.want.Tunnels), nil)
	if err != nil {
		return nil, err
	}
	s, err := h.in(Host)
	if err != nil {
		return nil, err
	}
	counted, err := s.traffic()
	if err != nil {
		return nil, err
	}
	views := map[overlay.TunnelName]dataplane.NetworkView{}
	for name, t := range p.want.Tunnels {
		own := LowerTunnels(map[overlay.TunnelName]dataplane.Tunnel{name: t})
		own.letBe(o.Objects)
		if len(own.Links) == 0 {
			continue // another plane's
		}
		v := tunnelViewer{tunnelObserver: o, own: own, device: LinkID{Host, t.Spec.Device}}
		v.Wanted, v.Present = own.Len(), own.matching(o.Objects)
		if !has(p.tunnelsOut, name) {
			v.differs()
		}
		v.Traffic.Nodes = trafficOf(counted, t.Spec.Device)
		if err := p.countTunnel(h, t, &v.NetworkView); err != nil {
			return views, err
		}
		if entries {
			if err := v.entries(s, t); err != nil {
				return views, err
			}
		}
		views[name] = v.NetworkView
	}
	return views, p.barred(h, views)
}

// tunnelViewer collects what the host has of one tunnel.
type tunnelViewer struct {
	*tunnelObserver
	own    Objects
	device LinkID
	dataplane.NetworkView
}

// differs lists what of the tunnel is not as wanted.
func (v *tunnelViewer) differs() {
	have := v.Objects.onlyOn(v.device)
	for _, l := range commands(slices.Values([][]Op{Diff(v.own, have)}), differsMost) {
		v.Differs = append(v.Differs, "not as wanted; repaired by: "+l)
	}
}

// onlyOn are the objects of one link.
func (o Objects) onlyOn(id LinkID) Objects {
	part := NewObjects()
	part.Links = filter(o.Links, func(k LinkID) bool { return k == id || o.Links[id].Peer == k || k == tunnelIdle(id.Name) })
	part.Addresses = filter(o.Addresses, func(a Address) bool { return a.Link == id })
	part.Tunnels = filter(o.Tunnels, func(k TunnelKey) bool { return k.Link == id })
	part.Neighbors = filter(o.Neighbors, func(k NeighborKey) bool { return k.Link == id })
	part.Routes = keep(o.Routes, func(k RouteKey, r Route) bool { return k.NS == id.NS && r.Device == id.Name })
	part.Forwarded = filter(o.Forwarded, func(k LinkID) bool { return k == id })
	part.Unaided = filter(o.Unaided, func(k LinkID) bool { return k == id })
	part.Carried = filter(o.Carried, func(k LinkID) bool { return k == id })
	part.Sysctls = o.Sysctls
	return part
}

// entries adds the interface, its FDB, its neighbours and its routes.
func (v *tunnelViewer) entries(s *space, t dataplane.Tunnel) error {
	l := v.table.named(v.device.Name)
	if l.index == 0 || !has(v.Objects.Links, v.device) {
		return nil
	}
	if err := v.link(s, l, t); err != nil {
		return err
	}
	if err := s.entries(unix.AF_BRIDGE, func(e fdbEntry) { v.station(e, l) }); err != nil {
		return err
	}
	if err := s.entries(unix.AF_UNSPEC, func(e fdbEntry) { v.neighbor(e, l) }); err != nil {
		return err
	}
	if err := s.routes(l.index, func(r hostRoute) {
		if k, route, ok := v.table.route(r); ok {
			v.NetworkView.Routes = append(v.NetworkView.Routes, dataplane.HostRoute{
				Prefix: k.Prefix, Via: route.Via, Device: route.Device, Type: "unicast", Namespace: Host.label(),
				Origin: originOf(v.own.Routes[k] == route),
			})
		}
	}); err != nil {
		return err
	}
	(&viewer{NetworkView: v.NetworkView}).sort()
	return nil
}

// originOf says of what somebody made whether that was Weft.
func originOf(wanted bool) dataplane.Origin {
	if wanted {
		return dataplane.FromRegistry
	}
	return dataplane.FromStatic
}

func (v *tunnelViewer) link(s *space, l hostLink, t dataplane.Tunnel) error {
	line := asView(Host, l)
	line.Port, line.Traffic = "", v.Traffic.Nodes
	outer := v.table.link(l, v.own.Links[v.device]).Outer
	if t.Spec.Plane == overlay.PlaneEBPF {
		outer = outerOf(t) // the programs'
	}
	view := viewOf(outer, t)
	if c, ok := v.Objects.Carried[v.device]; ok {
		view = carriedTunnel(c)
	}
	line.Tunnel = &view
	if err := s.addresses(func(a hostAddress) {
		if a.link == l.index {
			line.Addresses = append(line.Addresses, a.prefix)
		}
	}); err != nil {
		return err
	}
	slices.SortFunc(line.Addresses, comparePrefix)
	v.NetworkView.Links = append(v.NetworkView.Links, line)
	return nil
}

// viewOf is a tunnel whose packets look so.
func viewOf(outer Outer, t dataplane.Tunnel) dataplane.TunnelView {
	v := dataplane.TunnelView{
		VNI: outer.VNI, Local: t.Local, Device: outer.Device, Port: outer.Port, TTL: int(outer.TTL),
		SourcePorts: [2]uint16{outer.SourcePorts.Low, outer.SourcePorts.High},
		Learning:    outer.Learning, Ageing: time.Duration(outer.Ageing) * time.Second, Checksum: outer.Port != 0 && !outer.NoChecksum && !outer.ZeroChecksum6Tx,
	}
	switch {
	case outer.Remote.IsMulticast():
		v.Group = outer.Remote
	case t.Remote.IsValid() && outer.Remote.IsValid():
		v.Remotes = []netip.Addr{outer.Remote}
	}
	return v
}

func (v *tunnelViewer) station(e fdbEntry, l hostLink) {
	if e.link == l.index && v.table.isDefault(e) {
		v.FDB = append(v.FDB, dataplane.FDBEntry{MAC: e.mac, Device: l.name, VTEP: e.ip, Origin: dataplane.FromRegistry, Age: age(e.updated)})
	}
	if k, vtep, ok := v.table.tunnel(e); ok && e.link == l.index {
		want, wanted := v.own.Tunnels[k]
		v.FDB = append(v.FDB, dataplane.FDBEntry{
			MAC: e.mac, Device: l.name, VTEP: e.ip, Origin: e.origin(wanted && want == vtep), Age: age(e.updated),
		})
	}
}

func (v *tunnelViewer) neighbor(e fdbEntry, l hostLink) {
	if k, mac, ok := v.table.neighbor(e); ok && e.link == l.index && !e.mac.IsZero() {
		want, wanted := v.own.Neighbors[k]
		v.NetworkView.Neighbors = append(v.NetworkView.Neighbors, dataplane.Neighbor{
			Address: e.ip, MAC: e.mac, Device: l.name, State: stateName(e.state), Origin: e.origin(wanted && want == mac), Age: age(e.updated),
		})
	}
}
