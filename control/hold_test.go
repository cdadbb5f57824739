package control

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weft/overlay"
	"weft/store"
)

// desk is where a node on hold reports: it answers with what the test wants.
type desk struct {
	mu     sync.Mutex
	answer store.Answer
	err    error
	heard  []store.Report
}

func (d *desk) Report(_ context.Context, r store.Report) (store.Answer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, r)
	return d.answer, d.err
}

func (d *desk) say(a store.Answer, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer, d.err = a, err
}

// last is the latest report, and how many there were since the last call.
func (d *desk) last() (r store.Report, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n = len(d.heard); n > 0 {
		r = d.heard[n-1]
	}
	d.heard = nil
	return r, n
}

func names(r store.Report) (endpoints, nodes []string) {
	for _, e := range r.Endpoints {
		endpoints = append(endpoints, e.Name)
	}
	for _, n := range r.Nodes {
		nodes = append(nodes, n.Name)
	}
	slices.Sort(endpoints)
	slices.Sort(nodes)
	return endpoints, nodes
}

// TestLoopRecovers: a running node that meets another store asks what it is to do,
// tells what is wanted, and follows when it is told to, without a restart: what the
// store has then as it was is not touched.
func TestLoopRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := world(t), world(t)
		both := &exchange{Store: first}
		put(t, first, web("blue", "web", "a", 5))
		put(t, first, web("blue", "gone", "a", 6))
		put(t, first, web("blue", "far", "b", 7))
		for range 100 { // so that the other store's revisions are lower
			n := nodeA(t, first)
			n.Spec.UnderlayMTU++
			put(t, first, n)
		}
		d := &desk{err: errors.New("no")}
		n := start(t, both, cachePath(t), func(o *Options) { o.Recovery = d })
		n.expect("full blue[gone web]")
		n.gate.cutOff(store.ErrRestored)
		both.turn(second)
		n.gate.restore()
		pass(3 * time.Second)
		status, err := n.Status(n.ctx)
		if err != nil || status.Hold == "" {
			t.Errorf("status %+v, %v: want to know that it is on hold", status, err)
		}
		r, asked := d.last()
		if asked < 2 || asked > 5 || r.Phase != "" || r.Known.IsZero() || r.Node == nil || r.Node.Name != "a" || len(r.Endpoints) > 0 {
			t.Errorf("asked %d times, last with %+v", asked, r)
		}

		d.say(store.Answer{Wants: store.TakingOwn}, nil)
		pass(2 * time.Second)
		r, _ = d.last()
		endpoints, nodes := names(r)
		if r.Phase != store.TakingOwn || !slices.Equal(endpoints, []string{"gone", "web"}) || !slices.Equal(nodes, []string{"a", "b"}) || len(r.Networks) != 1 {
			t.Errorf("told %+v", r)
		}
		d.say(store.Answer{Wants: store.TakingOthers, Missing: []overlay.NodeName{"b"}}, nil)
		pass(2 * time.Second)
		r, _ = d.last()
		if endpoints, _ = names(r); r.Phase != store.TakingOthers || !slices.Equal(endpoints, []string{"far", "gone", "web"}) {
			t.Errorf("told %+v", r)
		}
		n.expect("")

		put(t, second, web("blue", "web", "a", 5))
		put(t, second, web("blue", "new", "a", 8))
		_, at, err := second.Update(t.Context(), store.Change{Delete: overlay.Key{Kind: overlay.KindToken, Name: "none"}})
		if err != nil {
			t.Fatal(err)
		}
		d.say(store.Answer{Follow: true, Revision: at}, nil)
		pass(5 * time.Second)
		if status, err = n.Status(n.ctx); err != nil || status.Hold != "" {
			t.Errorf("status %+v, %v: the hold is over", status, err)
		}
		if got := n.hands.ports(); got != "blue[new web]" {
			t.Errorf("the host has %s", got)
		}
		d.last()
		pass(time.Minute)
		if _, asked := d.last(); asked > 0 {
			t.Errorf("asked %d times after the hold", asked)
		}
	})
}

// TestLoopHoldsAgain: who was told to follow one store does not follow the next one.
func TestLoopHoldsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache := world(t), cachePath(t)
		put(t, s, web("blue", "web", "a", 5))
		first := start(t, s, cache, nil)
		first.expect("full blue[web]")
		first.stop()

		d := &desk{answer: store.Answer{Follow: true, Revision: overlay.Revision{Incarnation: "another", Number: 1}}}
		n := start(t, world(t), cache, func(o *Options) { o.Recovery = d })
		pass(10 * time.Second)
		n.expect("full blue[web]")
		d.say(store.Answer{}, nil)
		pass(2 * time.Second)
		if status, err := n.Status(n.ctx); err != nil || status.Hold == "" {
			t.Errorf("status %+v, %v: want to know that it is on hold", status, err)
		}
	})
}

// TestLoopWithoutMemoryHolds: a node that has forgotten what it knew touches nothing
// while the store is on hold, and then follows.
func TestLoopWithoutMemoryHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		both := &exchange{Store: &closed{s}}
		d := &desk{}
		n := start(t, both, cachePath(t), func(o *Options) { o.Recovery = d })
		pass(10 * time.Second)
		n.expect("")
		if r, asked := d.last(); asked == 0 || !r.Known.IsZero() {
			t.Errorf("asked %d times, last with %+v", asked, r)
		}
		put(t, s, web("blue", "web", "a", 5))
		_, at, err := s.Update(t.Context(), store.Change{Delete: overlay.Key{Kind: overlay.KindToken, Name: "none"}})
		if err != nil {
			t.Fatal(err)
		}
		both.turn(s)
		d.say(store.Answer{Follow: true, Revision: at}, nil)
		pass(5 * time.Second)
		n.expect("full blue[web]")
	})
}

// closed is a store that lets nobody watch.
type closed struct{ store.Store }

func (closed) Watch(context.Context, store.Interest, overlay.Revision, func(store.Batch) error) error {
	return store.ErrRestored
}

// TestOutboxWaitsOnHold: what a store on hold refuses is written when it takes it, and
// keeps nothing else waiting.
func TestOutboxWaitsOnHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &picky{Store: world(t), refuses: true}
		o := newOutbox(s, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { o.run(ctx) })
		defer running.Wait()
		defer cancel()
		o.post(store.Change{Put: web("blue", "web", "a", 5), Expect: store.Any})
		status := nodeA(t, s.Store)
		status.Status.Version = "v7"
		o.post(store.Change{Put: status, Expect: store.Any, Status: true})
		pass(10 * time.Second)
		if n := nodeA(t, s.Store); n.Status.Version != "v7" {
			t.Errorf("the status %+v waits for the endpoint", n.Status)
		}
		s.takeAll()
		pass(10 * time.Second)
		if _, err := find[*overlay.Endpoint](t, s.Store, web("blue", "web", "a", 5).Key()); err != nil {
			t.Errorf("the endpoint was not written: %v", err)
		}
	})
}

// exchange is a store that becomes another one.
type exchange struct {
	mu sync.Mutex
	store.Store
}

func (e *exchange) turn(to store.Store) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Store = to
}

func (e *exchange) now() store.Store {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Store
}

func (e *exchange) Watch(ctx context.Context, in store.Interest, from overlay.Revision, deliver func(store.Batch) error) error {
	return e.now().Watch(ctx, in, from, deliver)
}

func (e *exchange) Update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	return e.now().Update(ctx, c)
}

// picky refuses endpoints, as a store on hold does.
type picky struct {
	store.Store
	mu      sync.Mutex
	refuses bool
}

func (p *picky) takeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = false
}

func (p *picky) Update(ctx context.Context, c store.Change) (overlay.Resource, overlay.Revision, error) {
	p.mu.Lock()
	refuses := p.refuses
	p.mu.Unlock()
	if refuses && c.Put != nil && c.Put.Key().Kind == overlay.KindEndpoint {
		return nil, overlay.Revision{}, store.ErrRestored
	}
	return p.Store.Update(ctx, c)
}

// nodeA is node a as the store has it.
func nodeA(t *testing.T, s store.Store) *overlay.Node {
	t.Helper()
	n, err := find[*overlay.Node](t, s, overlay.Key{Kind: overlay.KindNode, Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	c := *n
	return &c
}
