package control

import (
	"context"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
)

// namespaceEvery paces the look for kept endpoints whose namespace is away.
const namespaceEvery = time.Second

// event takes what the plane announces.
func (l *Loop) event(ctx context.Context, e dataplane.Event) {
	switch e.Kind {
	case dataplane.EventChanged:
		l.Log.Info("something changed on the host; repairing", "network", e.Network, "what", e.What)
		l.applying.full = true
	case dataplane.EventPortGone:
		l.Log.Info("a port has gone", "network", e.Network, "endpoint", e.Port)
		l.applying.full = true
		l.checkNamespaces(ctx)
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
func (l *Loop) checkNamespaces(context.Context) {
	if !l.started {
		return
	}
	away := false
	for k, e := range l.table.entries {
		ep, ok := e.resource.(*overlay.Endpoint)
		if !ok || ep.Spec.Node != l.Node || ep.Spec.Attach.Type != overlay.AttachNetns {
			continue
		}
		identity, err := l.Namespace(ep.Spec.Attach.Target)
		switch {
		case err == nil && identity == ep.Spec.Attach.Identity:
			continue
		case ep.Spec.Lifetime != overlay.Kept:
			l.Log.Info("a namespace is gone; detaching its endpoint", "endpoint", k.String(), "namespace", ep.Spec.Attach.Target)
			l.outbox.post(store.Change{Delete: k, Expect: ep.Revision})
		case err == nil:
			l.Log.Info("a namespace is back; attaching its endpoint again", "endpoint", k.String(), "namespace", ep.Spec.Attach.Target)
			again := *ep
			again.Spec.Attach.Identity = identity
			l.outbox.post(store.Change{Put: &again, Expect: ep.Revision})
		}
		away = true
	}
	l.namespaces.Stop()
	if away {
		l.namespaces.Reset(namespaceEvery)
	}
}
