package kernel

import (
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// inMaps is where routes are that the domain does not have, but the programs.
const inMaps = "bpf"

// programs adds what the programs of a network hold.
func (v *viewer) programs(p Programs, n dataplane.Network) error {
	on, ok, err := v.hand.programLinks(n, nil)
	if err != nil || !ok {
		return err
	}
	s, err := v.hand.in(Host)
	if err != nil {
		return err
	}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	seen, err := v.hand.programs(p).View(n, on, func(index uint32) string { return t.links[int(index)].name })
	if err != nil {
		return err
	}
	for i := range seen.Routes {
		seen.Routes[i].Namespace = inMaps
	}
	v.FDB = append(v.FDB, seen.FDB...)
	v.Neighbors = append(v.Neighbors, seen.Neighbors...)
	v.Routes = append(v.Routes, seen.Routes...)
	v.programTunnels(n, seen)
	if l, ok := t.links[int(on.Tunnel)]; ok {
		if err := v.programTunnel(s, l, seen); err != nil {
			return err
		}
	}
	return nil
}

// programTunnels says of the near ends of the network's tunnels what programs do behind them.
func (v *viewer) programTunnels(n dataplane.Network, seen ProgramView) {
	for i, l := range v.Links {
		t := n.Ports[l.Port].Tunnel
		if t != nil && t.Spec.Plane == overlay.PlaneEBPF && l.Device == t.Spec.Device {
			view := viewOf(outerOf(*t), *t)
			if t.Spec.Mode.HasVNI() && t.Spec.SourcePorts == nil {
				view.SourcePorts = seen.SourcePorts
			}
			v.Links[i].Tunnel = &view
		}
	}
}

// programTunnel is tunnel for the link by which tunnel packets come in: the programs
// send them.
func (v *viewer) programTunnel(s *space, l hostLink, seen ProgramView) error {
	t, err := v.tunnel(s, l)
	if err != nil {
		return err
	}
	t.Remotes, t.SourcePorts, t.TTL = seen.Remotes, seen.SourcePorts, seen.TTL
	at := slices.IndexFunc(v.Links, func(x dataplane.Link) bool { return x.Namespace == Host.label() && x.Device == l.name })
	if at >= 0 {
		v.Links[at].Tunnel = &t
	}
	return nil
}
