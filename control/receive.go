package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/overlay"
	"weft/store"
)

// watch starts to follow an interest, in a store that was at the known revision before.
func (l *Loop) watch(ctx context.Context, from source, in store.Interest, known overlay.Revision) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{source: from, interest: in, stop: stop}
	w.revision = known
	l.watching.Go(func() { w.follow(ctx, l.Store, known, l.deliveries, l.Log) })
	return w
}

func (l *Loop) watches() []*watch {
	all := []*watch{l.nodes, l.own}
	for _, w := range l.networks {
		all = append(all, w)
	}
	return all
}

// receive takes one delivery.
func (l *Loop) receive(ctx context.Context, d delivery) {
	if !slices.Contains(l.watches(), d.watch) {
		return // of a network that the node has left meanwhile, or of the store as it was
	}
	if d.err != nil {
		l.interrupted(ctx, d.err)
		return
	}
	if !l.connected {
		l.connected, l.connectedSince, l.connectionError = true, time.Now().UTC(), ""
		l.refused = false
		l.reports.dirty()
		l.Log.Info("the store answers", "revision", d.batch.Revision)
	}
	if l.Recovery == nil {
		l.held = ""
	}
	d.watch.synced, d.watch.revision = true, d.batch.Revision
	puts, deletes := l.table.merge(d.watch.source, d.watch.interest, l.understood(d.batch))
	l.change(puts, deletes)
	l.hold(d.batch)
	l.watchNetworks(ctx)
	if !l.started && l.synced() {
		l.begin()
		l.applying.full = true
		l.checkNamespaces()
	}
}

// interrupted notes that a watch broke off; it is being tried again.
func (l *Loop) interrupted(ctx context.Context, err error) {
	if errors.Is(err, store.ErrRestored) {
		l.onHold(ctx, err)
		return
	}
	l.connectionError = err.Error()
	if errors.Is(err, store.ErrRevoked) {
		l.removed()
		return
	}
	if l.connected || l.connectedSince.IsZero() {
		l.connected, l.connectedSince = false, time.Now().UTC()
		l.reports.dirty()
		l.Log.Warn("the store does not answer; traffic is not affected", "err", err)
	}
}

// removed notes that the servers refuse this node. They are still asked, but who
// was removed comes back by joining again.
func (l *Loop) removed() {
	l.connectionError += "; what this host forwards stays as it is"
	if l.refused {
		return
	}
	l.refused, l.connected, l.connectedSince = true, false, time.Now().UTC()
	l.Log.Error("the servers refuse this node, which was removed", "err", l.connectionError)
}

// change tells the planner what is new.
func (l *Loop) change(puts []overlay.Resource, deletes []overlay.Key) {
	for _, r := range puts {
		l.planner.Put(r)
		l.peers.stale = l.peers.stale || concernsPeers(r.Key())
	}
	for _, k := range deletes {
		l.planner.Delete(k)
		l.peers.stale = l.peers.stale || concernsPeers(k)
	}
	if len(puts)+len(deletes) > 0 {
		l.unsaved = true
	}
}

// understood has tunnels that stand alone stay as this node has known them, also over a restart, when something of
// them was written by a newer version. Of a network all is held.
func (l *Loop) understood(b store.Batch) store.Batch {
	if len(b.Unknown) == 0 {
		return b
	}
	var puts []overlay.Resource
	for _, r := range b.Puts {
		if what, unknown := b.Unknown[r.Key()]; unknown && standsAlone(r) {
			l.Log.Error("a tunnel has something that this version of Weft does not know, and stays as it was; update weftd here", "tunnel", r.Key().Name, "unknown", what)
			known, ok := l.table.entries[r.Key()]
			if !ok {
				continue
			}
			r = known.resource
		}
		puts = append(puts, r)
	}
	b.Puts = puts
	return b
}

func standsAlone(r overlay.Resource) bool {
	k := r.Key()
	return k.Kind.StandsAlone() && k.Network == ""
}

// hold keeps networks as they are of which something was written by a newer
// version and is not understood here, and lets go of those that are understood again.
func (l *Loop) hold(b store.Batch) {
	for _, r := range b.Puts {
		if what, ok := b.Unknown[r.Key()]; ok {
			l.unknown[r.Key()] = what
		} else {
			delete(l.unknown, r.Key())
		}
	}
	for _, k := range b.Deletes {
		delete(l.unknown, k)
	}
	reasons := map[overlay.NetworkName]string{}
	for k, what := range l.unknown {
		if name, ok := networkOf(k); ok {
			reasons[name] = fmt.Sprintf("%s has something that this version of Weft does not know (%s); update weftd here", k, what)
		}
	}
	for name := range l.planner.State().Held {
		if reasons[name] == "" {
			l.planner.Release(name)
		}
	}
	for name, reason := range reasons {
		l.planner.Hold(name, reason)
	}
}

// concernsPeers: who the tunnels' peers are may depend on it.
func concernsPeers(k overlay.Key) bool {
	return k.Kind == overlay.KindTunnel || k.Kind == overlay.KindNode
}

func networkOf(k overlay.Key) (overlay.NetworkName, bool) {
	switch {
	case k.Kind == overlay.KindNetwork:
		return overlay.NetworkName(k.Name), true
	case k.Network != "":
		return k.Network, true
	}
	return "", false
}

// synced reports whether every watch has delivered, and the store knows this
// node: before that there is nothing to plan with.
func (l *Loop) synced() bool {
	_, registered := l.self()
	return registered && !slices.ContainsFunc(l.watches(), func(w *watch) bool { return !w.synced })
}

// reached is the lowest revision that the watches have.
func (l *Loop) reached() overlay.Revision {
	lowest := l.own.revision
	for _, w := range l.watches() {
		if w.revision.Number < lowest.Number {
			lowest = w.revision
		}
	}
	return lowest
}

// watchNetworks follows the networks in which this node has endpoints or tunnels, and no
// others. A network that was left is forgotten.
func (l *Loop) watchNetworks(ctx context.Context) {
	for name := range l.table.own {
		if l.networks[name] == nil {
			l.networks[name] = l.watch(ctx, networkSource, networkInterest(name), l.reached())
		}
	}
	for name, w := range l.networks {
		if l.table.own[name] == nil {
			w.stop()
			delete(l.networks, name)
			l.change(nil, l.table.unwatch(networkSource, w.interest))
		}
	}
}

// ownInterest is what a node has, in whatever network.
func ownInterest(node overlay.NodeName) store.Interest {
	return store.Interest{Kinds: []overlay.Kind{overlay.KindEndpoint, overlay.KindTunnel}, Node: node}
}

func networkInterest(name overlay.NetworkName) store.Interest {
	return store.Interest{
		Kinds:    []overlay.Kind{overlay.KindNetwork, overlay.KindBlock, overlay.KindTunnel, overlay.KindEndpoint},
		Networks: []overlay.NetworkName{name},
	}
}
