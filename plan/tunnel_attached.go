package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"weft/dataplane"
	"weft/overlay"
)

// attached are the tunnels that are part of a network, and what this node has found out of
// its peers.
type attached struct {
	of    map[overlay.TunnelName]*overlay.Tunnel
	paths map[overlay.Key]overlay.TunnelPath
}

// tunnelPort is the port that one of this node's tunnels is; false if it cannot be.
func (f *frame) tunnelPort(e *overlay.Endpoint) (dataplane.Port, bool) {
	name, _ := overlay.EndpointName(e.Name).Tunnel()
	r := f.tunnels.of[name]
	if r == nil {
		return dataplane.Port{}, false
	}
	path := f.tunnels.paths[r.Key()]
	t, err := dataplane.Tunnel{}, f.joins(r.Spec.Mode)
	if err == nil {
		r, err = f.onPlane(r)
	}
	if err == nil {
		t, err = tunnel(f.self, r, path)
	}
	if err != nil {
		f.portProblems = append(f.portProblems, fmt.Sprintf("tunnel %s: %v", name, err))
		return dataplane.Port{}, false
	}
	return dataplane.Port{
		Name: overlay.EndpointName(e.Name), Kind: overlay.PortSegment,
		Attach: e.Spec.Attach, Device: t.Spec.Device, Tunnel: &t,
	}, true
}

// onPlane is the tunnel on the network's plane: what passes between ports passes on one.
func (f *frame) onPlane(r *overlay.Tunnel) (*overlay.Tunnel, error) {
	on := *r
	switch p := r.Spec.Plane; {
	case f.Plane == overlay.PlaneEBPF:
		return nil, fmt.Errorf("the network is on plane ebpf here, which has no tunnels attached to networks; want it on plane kernel (weft node migrate-plane %s %s --to kernel)", f.self.Name, f.Name)
	case p == "" || p == overlay.PlaneAuto:
		on.Spec.Plane = f.Plane
	case p != f.Plane:
		return nil, fmt.Errorf("it wants plane %s, and the network that it is attached to is on plane %s here", p, f.Plane)
	}
	return &on, nil
}

// joins says why a mode's tunnels cannot be part of the network.
func (f *frame) joins(m overlay.TunnelMode) error {
	switch {
	case m.Ethernet() && f.Kind == overlay.Routed:
		return fmt.Errorf("mode %s carries frames and cannot be attached to a routed network; want mode gre, ipip, sit or udp", m)
	case !m.Ethernet() && f.Kind == overlay.Bridged:
		return fmt.Errorf("mode %s carries packets and cannot be attached to a bridged network; want mode vxlan, geneve or gretap", m)
	}
	return nil
}

// tunnelRoutes adds the routes to what is behind the tunnels of other members. Of two tunnels
// to one prefix the first by name has it.
func (f *frame) tunnelRoutes(routes map[netip.Prefix]dataplane.Route) {
	for _, name := range slices.SortedFunc(maps.Keys(f.tunnels.of), cmp.Compare) {
		r := f.tunnels.of[name]
		if r.Spec.Node == overlay.NodeName(f.self.Name) || f.joins(r.Spec.Mode) != nil {
			continue
		}
		for _, to := range r.Spec.Routes {
			if _, taken := routes[to.Prefix]; taken {
				continue
			}
			if route, ok := f.route(to.Prefix, r.Spec.Node); ok {
				routes[to.Prefix] = route
			}
		}
	}
}
