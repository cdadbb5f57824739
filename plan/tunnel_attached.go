package plan

import (
	"cmp"
	"errors"
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
	// mistakable are those of this node that cannot be beside another one, and why.
	mistakable map[overlay.Key]string
}

// tunnelPort is the port that one of this node's tunnels is; false if it cannot be.
func (f *frame) tunnelPort(e *overlay.Endpoint) (dataplane.Port, bool) {
	name, _ := overlay.EndpointName(e.Name).Tunnel()
	r := f.tunnels.of[name]
	if r == nil {
		return dataplane.Port{}, false
	}
	t, err := f.attachedTunnel(r)
	if err != nil {
		f.portProblems = append(f.portProblems, fmt.Sprintf("tunnel %s: %v", name, err))
		return dataplane.Port{}, false
	}
	return dataplane.Port{
		Name: overlay.EndpointName(e.Name), Kind: overlay.PortSegment,
		Attach: e.Spec.Attach, Device: t.Spec.Device, Tunnel: &t,
	}, true
}

// attachedTunnel is what a node makes of one of its tunnels in the network.
func (f *frame) attachedTunnel(r *overlay.Tunnel) (dataplane.Tunnel, error) {
	if err := f.joins(r.Spec.Mode); err != nil {
		return dataplane.Tunnel{}, err
	}
	if problem, ok := f.tunnels.mistakable[r.Key()]; ok {
		return dataplane.Tunnel{}, errors.New(problem)
	}
	on, err := f.onPlane(r)
	if err != nil {
		return dataplane.Tunnel{}, err
	}
	t, err := tunnel(f.self, on, f.tunnels.paths[r.Key()])
	if err != nil && on.Spec.Plane == overlay.PlaneEBPF {
		on.Spec.Plane = overlay.PlaneKernel
		if _, otherwise := tunnel(f.self, on, overlay.TunnelPath{}); otherwise == nil {
			err = fmt.Errorf("%w; plane kernel does it: weft node migrate-plane %s %s --to kernel", err, f.self.Name, f.Name)
		}
	}
	return t, err
}

// onPlane is the tunnel on the network's plane: what passes between ports passes on one. Mode
// udp is the user plane's everywhere: its interface is in the network's domain on each.
func (f *frame) onPlane(r *overlay.Tunnel) (*overlay.Tunnel, error) {
	on, plane := *r, f.Plane
	if r.Spec.Mode == overlay.TunnelUDP {
		plane = overlay.PlaneUser
	}
	switch p := r.Spec.Plane; {
	case p == "" || p == overlay.PlaneAuto:
		on.Spec.Plane = plane
	case p != plane:
		return nil, fmt.Errorf("it wants plane %s, and in the network that it is attached to it is on plane %s here", p, plane)
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
// to one prefix the first by name has it, but this node's own before all others.
func (f *frame) tunnelRoutes(routes map[netip.Prefix]dataplane.Route) {
	own := f.ownTunnelRoutes()
	for _, name := range slices.SortedFunc(maps.Keys(f.tunnels.of), cmp.Compare) {
		r := f.tunnels.of[name]
		if r.Spec.Node == overlay.NodeName(f.self.Name) || f.joins(r.Spec.Mode) != nil {
			continue
		}
		for _, to := range r.Spec.Routes {
			if _, taken := routes[to.Prefix]; taken || own[to.Prefix] {
				continue
			}
			if route, ok := f.route(to.Prefix, r.Spec.Node); ok {
				routes[to.Prefix] = route
			}
		}
	}
}

// ownTunnelRoutes are those of this node's tunnels in the network whose peers answer.
func (f *frame) ownTunnelRoutes() map[netip.Prefix]bool {
	own := map[netip.Prefix]bool{}
	for _, r := range f.tunnels.of {
		if r.Spec.Node != overlay.NodeName(f.self.Name) || f.tunnels.paths[r.Key()].Down {
			continue
		}
		if _, err := f.attachedTunnel(r); err == nil {
			for _, to := range r.Spec.Routes {
				own[to.Prefix] = true
			}
		}
	}
	return own
}
