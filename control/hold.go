package control

import (
	"context"
	"slices"
	"time"

	"weft/overlay"
	"weft/store"
)

// askEvery paces what an agent on hold asks the servers.
const askEvery = time.Second

// onHold notes that the store is another one than before. From then on nothing of
// it is followed, until the servers say that somebody has decided what it is worth.
func (l *Loop) onHold(ctx context.Context, why error) {
	if l.held != "" {
		return
	}
	l.held = why.Error()
	l.reports.dirty()
	l.Log.Error("the store is another one than before: everything here stays as it is until an administrator decides: "+
		"weft store recover --from-nodes, or --accept", "known", l.reached())
	if l.Recovery != nil {
		l.watching.Go(func() { l.askToFollow(ctx) })
	}
}

// askToFollow tells the servers what they want to know, until they say that the
// store can be followed.
func (l *Loop) askToFollow(ctx context.Context) {
	var answer store.Answer
	var failed string
	for wait := retryFirst; sleep(ctx, wait); {
		r, err := ask(ctx, l, func() store.Report { return l.telling(answer) })
		if err != nil {
			return
		}
		answer, err = l.Recovery.Report(ctx, r)
		wait = askEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failed != err.Error() {
				failed = err.Error()
				l.Log.Warn("what this node has could not be told; trying again", "err", err)
			}
			answer = store.Answer{}
		case answer.Follow:
			l.do(ctx, func(ctx context.Context) { l.follow(ctx, answer.Revision) })
			return
		case answer.Wants != "":
			wait = retryFirst
		}
	}
}

// telling is what the servers want to know, as this node knows it.
func (l *Loop) telling(wanted store.Answer) store.Report {
	r := store.Report{Known: l.reached(), Phase: wanted.Wants}
	if self, ok := l.self(); ok {
		n := *self
		n.Status = overlay.NodeStatus{}
		r.Node = &n
	}
	if r.Phase == "" {
		return r
	}
	of := func(node overlay.NodeName) bool {
		return node == l.Node || r.Phase == store.TakingOthers && slices.Contains(wanted.Missing, node)
	}
	for k, e := range l.table.entries {
		if what, ok := l.unknown[k]; ok {
			l.Log.Warn("a resource that a newer version of Weft wrote is not told: that would lose part of it", "resource", k.String(), "unknown", what)
			continue
		}
		switch e := e.resource.(type) {
		case *overlay.Node:
			n := *e
			n.Status = overlay.NodeStatus{}
			r.Nodes = append(r.Nodes, &n)
		case *overlay.Network:
			r.Networks = append(r.Networks, e)
		case *overlay.Block:
			if of(e.Spec.Node) {
				r.Blocks = append(r.Blocks, e)
			}
		case *overlay.Tunnel:
			if of(e.Spec.Node) {
				r.Tunnels = append(r.Tunnels, e)
			}
		case *overlay.Endpoint:
			if of(e.Spec.Node) {
				r.Endpoints = append(r.Endpoints, e)
			}
		}
	}
	return r
}

// follow has the loop follow the store again, which is at the revision or later.
// What it knows stays until the new watches have said what there is.
func (l *Loop) follow(ctx context.Context, at overlay.Revision) {
	l.Log.Info("the store is followed again", "revision", at)
	l.held = ""
	l.table.doubt()
	for _, w := range l.watches() {
		w.stop()
	}
	again := func(w *watch) *watch { return l.watch(ctx, w.source, w.interest, at) }
	l.nodes, l.own = again(l.nodes), again(l.own)
	for name, w := range l.networks {
		l.networks[name] = again(w)
	}
	l.unsaved = true
	l.reports.dirty()
}
