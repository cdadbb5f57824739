package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weft/dataplane"
	"weft/internal/files"
	"weft/overlay"
	"weft/plan"
	"weft/reach"
	"weft/store"
)

// Options of a Loop. All fields without a default in brackets are required.
type Options struct {
	Node  overlay.NodeName
	Store store.Store
	// Recovery is where the node reports while it is on hold [a hold ends with
	// the run, and AcceptStore].
	Recovery store.Recovery
	Plane    dataplane.Plane
	Log      *slog.Logger
	// CachePath is the file that remembers what was received.
	CachePath string
	// Namespace returns the identity of the namespace at a path, empty when
	// there is none, and an error when that cannot be told.
	Namespace func(path string) (string, error)
	// Node's own report: version and kernel are copied to each status.
	Version, Kernel string
	// ChoicesPath is the file that remembers which planes this node has chosen, and Found
	// are those of the networks that were on the host before the run [none].
	ChoicesPath string
	Found       map[overlay.NetworkName]overlay.PlaneName
	// PeersPath is the file that remembers what was found out of the tunnels' peers.
	PeersPath string
	// DomainPath is where the namespace of a network's domain is mounted; nil: tunnels that are
	// attached to one are asked for from here.
	DomainPath func(overlay.NetworkName) string
	// Resolver looks the peers' names up [the host's].
	Resolver reach.Resolver
	// AcceptStore takes a store that was restored or replaced for the truth.
	AcceptStore bool
	// Audit is the time between two comparisons of everything [1 minute].
	Audit time.Duration
	// Offline is how long to wait for the servers at start before the cache
	// of the last run is used [3 seconds].
	Offline time.Duration
	// Heartbeat is the time between two reports when nothing changes [20 seconds].
	Heartbeat time.Duration
}

// Loop makes one node match the store.
type Loop struct {
	Options
	planner *plan.Planner
	table   *table
	cache   cache
	choices choices
	peers   peers

	deliveries chan delivery
	inbox      chan func(context.Context)
	watching   sync.WaitGroup // everything that Run started

	// watches of this node's networks; nodes and own are always there.
	nodes, own *watch
	networks   map[overlay.NetworkName]*watch

	// unknown says, of resources that a newer version wrote, what is not understood.
	unknown map[overlay.Key]string
	// held is why nothing of the store is followed; empty: it is.
	held string
	// connected is whether the last word from the store was a batch, since
	// when, and what the error was if it was none.
	connected       bool
	connectedSince  time.Time
	connectionError string
	// refused: the store knows this node as one that was removed.
	refused bool
	// started: planning has begun, from the store or from the cache.
	started bool
	// begun is closed when started is set. planned: the first State was made.
	begun   chan struct{}
	planned bool
	// known is the revision of the cache that the run began with.
	known overlay.Revision

	applying applying
	waiters  []*waiter
	stations stations
	reports  reports
	outbox   *outbox
	// unsaved: the table holds what the cache does not. unwritable: the last try
	// to write it failed.
	unsaved, unwritable bool
	// ended is closed when Run returns.
	ended chan struct{}
}

// New prepares a Loop; Run starts it.
func New(o Options) *Loop {
	o.Audit = orDefault(o.Audit, time.Minute)
	o.Offline = orDefault(o.Offline, 3*time.Second)
	o.Heartbeat = orDefault(o.Heartbeat, 20*time.Second)
	return &Loop{
		Options:    o,
		planner:    plan.NewPlanner(o.Node),
		table:      newTable(o.Node),
		cache:      cache{path: o.CachePath},
		choices:    choices{path: o.ChoicesPath},
		peers:      peers{path: o.PeersPath, watcher: reach.New(o.Resolver)},
		deliveries: make(chan delivery, 16),
		inbox:      make(chan func(context.Context)),
		networks:   map[overlay.NetworkName]*watch{},
		unknown:    map[overlay.Key]string{},
		stations:   newStations(),
		reports:    newReports(),
		outbox:     newOutbox(o.Store, o.Log),
		begun:      make(chan struct{}),
		ended:      make(chan struct{}),
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Run follows the store and the host until ctx ends, and then returns nil:
// what is forwarded stays as it is. It returns an error only when it cannot start.
func (l *Loop) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer close(l.ended)
	defer l.watching.Wait()
	defer l.peers.watcher.Wait()
	defer cancel()
	if err := l.remember(); err != nil {
		return fmt.Errorf("load the node's cache: %w", err)
	}
	if err := l.recall(); err != nil {
		return fmt.Errorf("load the node's choices: %w", err)
	}
	if err := l.recallPeers(); err != nil {
		return fmt.Errorf("load what is known of the tunnels' peers: %w", err)
	}
	l.nodes = l.watch(ctx, nodesSource, store.Interest{Kinds: []overlay.Kind{overlay.KindNode}}, l.known)
	l.own = l.watch(ctx, ownSource, ownInterest(l.Node), l.known)
	for name := range l.table.own {
		l.networks[name] = l.watch(ctx, networkSource, networkInterest(name), l.known)
	}

	l.watching.Go(func() { l.outbox.run(ctx) })
	l.stations.since = time.Now()
	namespaces := time.NewTicker(namespaceEvery)
	defer namespaces.Stop()
	audit := time.NewTicker(l.Audit)
	defer audit.Stop()
	offline := time.NewTimer(l.Offline)
	defer offline.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.finish()
		case do := <-l.inbox:
			do(ctx)
		case d := <-l.deliveries:
			l.receive(ctx, d)
		case e, ok := <-l.Plane.Events():
			if !ok {
				return l.finish()
			}
			l.event(e)
		case <-l.applying.again():
			l.applying.full = true
		case <-l.peers.watcher.Changed():
			l.learnPeers()
		case <-audit.C:
			l.audit()
		case <-namespaces.C:
			l.checkNamespaces()
		case <-offline.C:
			l.startOffline()
		case <-l.reports.timer.C:
			l.report(ctx)
		case <-save.C:
			l.save()
		}
		l.drain(ctx)
		l.step(ctx)
	}
}

// saveEvery paces the writing of the cache, which is as large as what the node knows.
const saveEvery = 5 * time.Second

// drain takes what else is waiting, so that one step serves it all.
func (l *Loop) drain(ctx context.Context) {
	for range 256 {
		select {
		case d := <-l.deliveries:
			l.receive(ctx, d)
		case do := <-l.inbox:
			do(ctx)
		default:
			return
		}
	}
}

// do runs f in the loop's goroutine; false when ctx or the loop ended first.
func (l *Loop) do(ctx context.Context, f func(context.Context)) bool {
	done := make(chan struct{})
	select {
	case l.inbox <- func(inner context.Context) { f(inner); close(done) }:
	case <-ctx.Done():
		return false
	case <-l.ended:
		return false
	}
	<-done // f was taken and runs to its end
	return true
}

// remember loads the cache, so that an offline start has a picture.
func (l *Loop) remember() error {
	b, err := l.cache.load()
	if errors.Is(err, errDamaged) {
		return l.forgetCache(err)
	}
	if err != nil {
		return err
	}
	if b.Revision.IsZero() || l.AcceptStore {
		return nil
	}
	l.known = b.Revision
	defer l.hold(b)
	for _, r := range b.Puts {
		l.table.put(l.sourcesOf(r), r)
		l.peers.stale = l.peers.stale || concernsPeers(r.Key())
		l.planner.Put(r)
	}
	return nil
}

// sourcesOf are the watches that cover what the cache has.
func (l *Loop) sourcesOf(r overlay.Resource) source {
	from := networkSource
	var node overlay.NodeName
	switch r := r.(type) {
	case *overlay.Node:
		return nodesSource
	case *overlay.Endpoint:
		node = r.Spec.Node
	case *overlay.Tunnel:
		if node = r.Spec.Node; r.Network == "" {
			from = 0
		}
	}
	if node == l.Node {
		from |= ownSource
	}
	return from
}

// forgetCache sets a damaged cache aside. The servers say it all again; what is
// lost is that a start without them can go on, and that another store than
// before is noticed.
func (l *Loop) forgetCache(damage error) error {
	aside, err := files.SetAside(l.cache.path)
	if err != nil {
		return errors.Join(damage, err)
	}
	l.Log.Warn("what this node last knew cannot be read; it is set aside, and the servers are asked anew", "err", damage, "aside", aside)
	return nil
}

// begin starts planning.
func (l *Loop) begin() {
	l.started = true
	close(l.begun)
}

// Begun waits until the loop knows what this node has, from the store or from
// the last run.
func (l *Loop) Begun(ctx context.Context) error {
	select {
	case <-l.begun:
		return nil
	case <-l.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startOffline begins with the cache when the servers did not answer.
func (l *Loop) startOffline() {
	if l.started || l.known.IsZero() {
		return
	}
	l.Log.Warn("no server answers; going on with what this node last knew", "revision", l.known)
	l.begin()
	for _, w := range l.watches() {
		w.synced = true
	}
	l.applying.full = true
}

func (l *Loop) save() {
	if !l.unsaved || !l.started {
		return
	}
	if err := l.cache.save(l.reached(), l.table.resources(), l.unknown); err != nil {
		if !l.unwritable { // and say so once
			l.Log.Error("what this node knows cannot be written down; a restart without a server would go back to what it knew before", "err", err)
		}
		l.unwritable = true
		return
	}
	if l.unwritable {
		l.Log.Info("what this node knows can be written down again", "file", l.cache.path)
	}
	l.unsaved, l.unwritable = false, false
}

func (l *Loop) finish() error {
	l.save()
	l.failWaiters(errEnded)
	return nil
}
