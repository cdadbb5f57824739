package control

import (
	"cmp"
	"slices"
	"strings"

	"weft/dataplane"
	"weft/overlay"
	"weft/plan"
)

// tunnelReports says how this node's tunnels are.
func (l *Loop) tunnelReports(seen dataplane.Observation) []overlay.TunnelReport {
	var all []overlay.TunnelReport
	found := l.peers.watcher.Statuses()
	for k, t := range l.table.tunnels {
		s := found[k]
		r := overlay.TunnelReport{
			Network: t.Network, Tunnel: overlay.TunnelName(t.Name),
			State: s.State, Since: s.Since, Why: s.Why, Remote: s.Remote, RoundTripMicroseconds: int(s.RoundTrip.Microseconds()),
		}
		if t.Network == "" {
			l.reportAlone(&r, seen.Tunnels[r.Tunnel])
		} else {
			l.reportAttached(&r, t, seen.Networks[t.Network])
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b overlay.TunnelReport) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Tunnel, b.Tunnel))
	})
	return all
}

// reportAlone adds what there is of a tunnel that stands alone.
func (l *Loop) reportAlone(r *overlay.TunnelReport, view dataplane.NetworkView) {
	state := l.planner.State()
	r.Wanted, r.Present, r.Differs = view.Wanted, view.Present, slices.Clone(view.Differs)
	r.Traffic, r.Drops, r.Notes = view.Traffic.Nodes, counted(view.Drops), slices.Clone(view.Notes)
	r.Differs = append(r.Differs, state.TunnelProblems[r.Tunnel]...)
	if t, ok := state.Tunnels[r.Tunnel]; ok {
		l.reportPlane(r, t)
	}
	if err := dataplane.ConcerningTunnel(l.applying.err, r.Tunnel); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			r.Differs = append(r.Differs, strings.TrimPrefix(line, "tunnel "+string(r.Tunnel)+": "))
		}
	}
}

// reportAttached adds what there is of a tunnel in its network, whose report has the rest.
func (l *Loop) reportAttached(r *overlay.TunnelReport, t *overlay.Tunnel, view dataplane.NetworkView) {
	n := l.planner.State().Networks[t.Network]
	if p, ok := n.Ports[overlay.EndpointName(t.Port().Name)]; ok && p.Tunnel != nil {
		l.reportPlane(r, *p.Tunnel)
		r.PlaneReason, r.Traffic = "its network's", view.Tunnels[r.Tunnel]
		if r.Plane != n.Plane {
			r.PlaneReason = "the only plane that does mode " + string(t.Spec.Mode)
		}
	} else {
		r.Differs = append(r.Differs, "it is no part of its network here: see weft status for why")
	}
}

func (l *Loop) reportPlane(r *overlay.TunnelReport, t dataplane.Tunnel) {
	r.Plane, r.MTU = t.Spec.Plane, t.MTU
	if r.Remote = t.Remote; r.Network != "" {
		return
	}
	self, known := l.self()
	own := l.table.tunnels[overlay.Key{Kind: overlay.KindTunnel, Name: string(r.Tunnel)}]
	if known && own != nil {
		if _, why, err := plan.TunnelPlane(self, own.Spec.Complete(r.Tunnel), overlay.FamilyOf(t.Local)); err == nil {
			r.PlaneReason = why
		}
	}
}
