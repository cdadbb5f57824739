package control

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
)

// reportDelay gathers what happens within it into one report.
const reportDelay = 250 * time.Millisecond

// reports remembers what was last reported, and when the next report is due.
type reports struct {
	timer *time.Timer
	// soon: the timer was set for something that changed.
	soon bool
	last map[overlay.NetworkName]overlay.NetworkReport
}

func newReports() reports {
	return reports{timer: time.NewTimer(reportDelay), last: map[overlay.NetworkName]overlay.NetworkReport{}}
}

// dirty makes the next report due soon.
func (r *reports) dirty() {
	if !r.soon {
		r.soon = true
		r.timer.Reset(reportDelay)
	}
}

// report observes the host and tells the store how far it is.
func (l *Loop) report(ctx context.Context) {
	l.reports.soon = false
	l.reports.timer.Reset(l.Heartbeat)
	if !l.started {
		return
	}
	seen, err := l.Plane.Compare(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.Log.Error("the host could not be observed", "err", err)
		}
		return
	}
	now := time.Now().UTC()
	l.reports.last = l.compare(seen, now)
	self, ok := l.self()
	if !ok {
		return
	}
	// Also while the store does not answer: the outbox keeps the newest report
	// until it does, and by the report's coming back the watches are known to work.
	next := *self
	next.Status = overlay.NodeStatus{
		Seen: now, Version: l.Version, Kernel: l.Kernel,
		Networks: slices.SortedFunc(maps.Values(l.reports.last), byNetwork), Drops: counted(seen.Drops),
		Tunnels: l.tunnelReports(seen),
	}
	l.outbox.post(store.Change{Put: &next, Expect: store.Any, Status: true})
}

// errEnded answers whoever asks a loop that has ended.
var errEnded = errors.New("the agent is stopping")

// compare makes the reports of all networks out of what the host has. Since
// stays as long as a network keeps matching, or keeps differing.
func (l *Loop) compare(seen dataplane.Observation, now time.Time) map[overlay.NetworkName]overlay.NetworkReport {
	state := l.planner.State()
	next := map[overlay.NetworkName]overlay.NetworkReport{}
	at := func(name overlay.NetworkName) overlay.NetworkReport {
		if r, ok := next[name]; ok {
			return r
		}
		plane, why, better := l.planeOf(name)
		return overlay.NetworkReport{Network: name, Plane: plane, PlaneReason: why, BetterPlane: better}
	}
	for name := range state.Networks {
		r, view := at(name), seen.Networks[name]
		r.Wanted, r.Present, r.Differs = view.Wanted, view.Present, slices.Clone(view.Differs)
		r.Drops, r.Traffic = counted(view.Drops), view.Traffic
		if err := dataplane.Concerning(l.applying.err, name, ""); err != nil {
			r.Differs = append(r.Differs, strings.Split(err.Error(), "\n")...)
		}
		next[name] = r
	}
	for name, problems := range state.Problems {
		r := at(name)
		r.Differs = append(r.Differs, problems...)
		next[name] = r
	}
	for name, reason := range state.Held {
		r := at(name)
		r.Differs = append(r.Differs, "held as it is: "+reason)
		next[name] = r
	}
	for name, r := range next {
		r.Since = now
		if old, ok := l.reports.last[name]; ok && (len(old.Differs) == 0) == (len(r.Differs) == 0) {
			r.Since = old.Since
		}
		next[name] = r
	}
	return next
}

// counted leaves out what was not dropped.
func counted(drops overlay.Drops) overlay.Drops {
	drops = maps.Clone(drops)
	maps.DeleteFunc(drops, func(_ overlay.DropReason, n uint64) bool { return n == 0 })
	return drops
}

// Status is what a node says of itself.
type Status struct {
	Underlay []netip.Prefix
	// Connected says whether the store answers, ConnectedSince since when it
	// does or does not, and ConnectionError why not.
	Connected       bool
	ConnectedSince  time.Time
	ConnectionError string
	// Hold is why the store is not followed; empty: it is.
	Hold string
	// Held says of single networks why they stay as they are.
	Held     map[overlay.NetworkName]string
	Revision overlay.Revision
	Networks []overlay.NetworkReport
	Tunnels  []overlay.TunnelReport
	// Drops counts tunnel packets that are of no network on this node.
	Drops overlay.Drops
}

// Status compares the host with what is wanted, now.
func (l *Loop) Status(ctx context.Context) (Status, error) {
	seen, err := l.Plane.Compare(ctx)
	if err != nil {
		return Status{}, err
	}
	return ask(ctx, l, func() Status {
		l.reports.last = l.compare(seen, time.Now().UTC())
		s := Status{
			Connected: l.connected, ConnectedSince: l.connectedSince, ConnectionError: l.connectionError,
			Hold: l.held, Held: maps.Clone(l.planner.State().Held), Revision: l.reached(),
			Networks: slices.SortedFunc(maps.Values(l.reports.last), byNetwork), Drops: counted(seen.Drops),
			Tunnels: l.tunnelReports(seen),
		}
		if self, ok := l.self(); ok {
			s.Underlay = self.Spec.Underlay
		}
		return s
	})
}

// Progress is how far the loop is with what it is to follow.
type Progress struct {
	// Follows: it has all of it, and Done: the host was brought to what follows from it.
	Follows, Done bool
	// Tries is how often in a row that has failed, the last time with Err.
	Tries int
	Err   error
}

// Progress says how far the loop is with these resources, at these revisions of the store or
// later ones, and no other tunnels.
func (l *Loop) Progress(ctx context.Context, want map[overlay.Key]int64) (Progress, error) {
	return ask(ctx, l, func() Progress {
		p := Progress{Follows: l.planned, Tries: l.applying.tries, Err: l.applying.err}
		for k, revision := range want {
			e, ok := l.table.entries[k]
			p.Follows = p.Follows && ok && e.resource.Header().Revision >= revision
		}
		for k := range l.table.tunnels {
			_, wanted := want[k]
			p.Follows = p.Follows && wanted
		}
		p.Done = p.Follows && !l.applying.full && l.applying.err == nil
		return p
	})
}

func byNetwork(a, b overlay.NetworkReport) int { return cmp.Compare(a.Network, b.Network) }

// self is this node's own record.
func (l *Loop) self() (*overlay.Node, bool) {
	n, ok := l.table.entries[overlay.Key{Kind: overlay.KindNode, Name: string(l.Node)}].resource.(*overlay.Node)
	return n, ok
}

// Self is this node's own record; nil: the store has none yet.
func (l *Loop) Self(ctx context.Context) (*overlay.Node, error) {
	return ask(ctx, l, func() *overlay.Node {
		n, _ := l.self()
		return n
	})
}

// State is what the host should be, now.
func (l *Loop) State(ctx context.Context) (dataplane.State, error) {
	return ask(ctx, l, func() dataplane.State { return l.planner.State().Clone() })
}

// StationsVia lists the published stations behind a segment port of this node.
func (l *Loop) StationsVia(ctx context.Context, network overlay.NetworkName, port overlay.EndpointName) ([]overlay.Key, error) {
	return ask(ctx, l, func() []overlay.Key { return l.stationsVia(network, port) })
}

// Endpoints lists this node's endpoints in one network, or in all when the
// name is empty, by network and name; stations are not among them.
func (l *Loop) Endpoints(ctx context.Context, network overlay.NetworkName) ([]*overlay.Endpoint, error) {
	return ask(ctx, l, func() []*overlay.Endpoint {
		own := []*overlay.Endpoint{}
		for _, e := range l.table.entries {
			ep, ok := e.resource.(*overlay.Endpoint)
			if ok && ep.Spec.Node == l.Node && ep.Spec.Port != overlay.PortStation && (network == "" || ep.Network == network) {
				own = append(own, ep)
			}
		}
		slices.SortFunc(own, func(a, b *overlay.Endpoint) int {
			return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Name, b.Name))
		})
		return own
	})
}

// ask runs a question in the loop's goroutine.
func ask[T any](ctx context.Context, l *Loop, question func() T) (answer T, err error) {
	if !l.do(ctx, func(context.Context) { answer = question() }) {
		return answer, cmp.Or(ctx.Err(), errEnded)
	}
	return answer, nil
}
