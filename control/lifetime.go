package control

import (
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
)

// namespaceEvery paces the look for namespaces. Nobody announces when a path comes
// to name another one or none; that ports vanish with a namespace the kernel says
// when it has cleaned up, which can take seconds, and not at all while a process
// lives in it.
const namespaceEvery = time.Second

// event takes what the plane announces, and what else it has announced by now: when
// a hundred workloads end at once, one look and one Apply do.
func (l *Loop) event(e dataplane.Event) {
	gone := false
	for waits := true; waits; {
		l.take(e)
		gone = gone || e.Kind == dataplane.EventPortGone
		select {
		case e, waits = <-l.Plane.Events():
		default:
			waits = false
		}
	}
	if gone {
		l.checkNamespaces()
	}
}

func (l *Loop) take(e dataplane.Event) {
	switch e.Kind {
	case dataplane.EventChanged:
		l.Log.Info("something changed on the host; repairing", "network", e.Network, "what", e.What)
		l.applying.full = true
	case dataplane.EventPortGone:
		l.Log.Info("a port has gone", "network", e.Network, "endpoint", e.Port)
		l.applying.full = true
	case dataplane.EventReach:
		l.Log.Info("who is heard in a multicast group has changed", "network", e.Network, "what", e.What)
		l.reports.dirty()
	case dataplane.EventStation:
		l.stationSeen(e)
	case dataplane.EventStationGone:
		l.stationGone(e)
	}
}

// checkNamespaces looks at the namespaces of this node's endpoints. Where one
// is gone, a bound endpoint is detached. Where one came back under its name, a
// kept endpoint takes the new one for its own. A port that is missing from a
// namespace that lives was tampered with: Apply makes it again.
func (l *Loop) checkNamespaces() {
	if !l.started {
		return
	}
	for _, endpoints := range l.table.own {
		for k, ep := range endpoints {
			if ep.Spec.Attach.Type == overlay.AttachNetns {
				l.checkNamespace(k, ep)
			}
		}
	}
}

func (l *Loop) checkNamespace(k overlay.Key, ep *overlay.Endpoint) {
	identity, err := l.Namespace(ep.Spec.Attach.Target)
	switch {
	case err != nil:
		l.Log.Debug("a namespace cannot be looked at", "endpoint", k.String(), "err", err)
	case identity == ep.Spec.Attach.Identity:
	case ep.Spec.Lifetime != overlay.Kept:
		if l.outbox.post(store.Change{Delete: k, Expect: ep.Revision}) {
			l.Log.Info("a namespace is gone; detaching its endpoint", "endpoint", k.String(), "namespace", ep.Spec.Attach.Target)
		}
	case identity != "":
		again := *ep
		again.Spec.Attach.Identity = identity
		if l.outbox.post(store.Change{Put: &again, Expect: ep.Revision}) {
			l.Log.Info("a namespace is back; attaching its endpoint again", "endpoint", k.String(), "namespace", ep.Spec.Attach.Target)
		}
	}
}
