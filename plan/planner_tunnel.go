package plan

import (
	"maps"
	"reflect"

	"weft/dataplane"
	"weft/overlay"
)

// SetPath says what the node has found out of the way to a tunnel's peer; the zero value
// forgets it.
func (p *Planner) SetPath(k overlay.Key, path overlay.TunnelPath) {
	if p.paths[k] == path {
		return
	}
	if p.paths[k] = path; path == (overlay.TunnelPath{}) {
		delete(p.paths, k)
	}
	p.touchTunnel(k.Network)
}

func (p *Planner) putTunnel(r *overlay.Tunnel) {
	of := p.tunnels[r.Network]
	had := of[overlay.TunnelName(r.Name)]
	if of == nil {
		of = map[overlay.TunnelName]*overlay.Tunnel{}
		p.tunnels[r.Network] = of
	}
	of[overlay.TunnelName(r.Name)] = r
	if had != nil && had.Created.Equal(r.Created) && reflect.DeepEqual(had.Spec, r.Spec) {
		return
	}
	if r.Network != "" {
		p.network(r.Network).putEndpoint(r.Port(), p.self)
	}
	p.touchTunnel(r.Network)
}

func (p *Planner) deleteTunnel(k overlay.Key) {
	of := p.tunnels[k.Network]
	had := of[overlay.TunnelName(k.Name)]
	if had == nil {
		return
	}
	if delete(of, overlay.TunnelName(k.Name)); len(of) == 0 {
		delete(p.tunnels, k.Network)
	}
	if k.Network != "" {
		n := p.network(k.Network)
		n.deleteEndpoint(n.endpoints[overlay.EndpointName(had.Port().Name)], p.self)
	}
	p.touchTunnel(k.Network)
}

// touchTunnel has a network's tunnels looked at, or those that stand alone, and who is in
// whose way.
func (p *Planner) touchTunnel(network overlay.NetworkName) {
	p.outersChanged = true
	p.retunnel(network)
}

// tellApart finds out which tunnels cannot be beside another one, wherever that is.
func (p *Planner) tellApart() {
	if !p.outersChanged {
		return
	}
	p.outersChanged = false
	had, now := p.mistakable, mistakable(p.nodes[p.self], p.tunnels, p.paths)
	p.mistakable = now
	for _, some := range []map[overlay.Key]string{had, now} {
		for k := range some {
			if had[k] != now[k] {
				p.retunnel(k.Network)
			}
		}
	}
}

// retunnel has the tunnels of a network looked at, or those that stand alone.
func (p *Planner) retunnel(network overlay.NetworkName) {
	if network == "" {
		p.tunnelsChanged = true
	} else if n := p.networks[network]; n != nil {
		n.reframe = true
		p.touch(network)
	}
}

// planTunnels brings the tunnels that stand alone up to date.
func (p *Planner) planTunnels() (dataplane.Changes[overlay.TunnelName, dataplane.Tunnel], map[overlay.TunnelName][]string) {
	if !p.tunnelsChanged {
		return dataplane.Changes[overlay.TunnelName, dataplane.Tunnel]{}, p.state.TunnelProblems
	}
	p.tunnelsChanged = false
	next, problems := tunnels(p.nodes[p.self], p.tunnels[""], p.paths, p.mistakable)
	d := dataplane.Between(dataplane.State{Tunnels: p.state.Tunnels}, dataplane.State{Tunnels: next}).Tunnels
	p.state.Tunnels = maps.Clone(next)
	return d, problems
}
