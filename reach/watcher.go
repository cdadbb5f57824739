package reach

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"weft/overlay"
)

// Watcher follows peers.
type Watcher struct {
	resolver Resolver
	changed  chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	peers map[overlay.Key]*follower
}

type follower struct {
	peer   Peer
	stop   context.CancelFunc
	status Status
}

// New returns a Watcher that follows nobody yet; without a resolver the host's is asked.
func New(r Resolver) *Watcher {
	if r == nil {
		r = net.DefaultResolver
	}
	return &Watcher{resolver: r, changed: make(chan struct{}, 1), peers: map[overlay.Key]*follower{}}
}

// Changed tells that a path or a state is another than before: see Statuses.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Statuses are all peers' now.
func (w *Watcher) Statuses() map[overlay.Key]Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[overlay.Key]Status, len(w.peers))
	for k, f := range w.peers {
		all[k] = f.status
	}
	return all
}

// Follow makes peers the ones that are followed, until ctx ends. Those that stay as they were go on as
// they are.
func (w *Watcher) Follow(ctx context.Context, peers map[overlay.Key]Peer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, f := range w.peers {
		if p, ok := peers[k]; !ok || !p.same(f.peer) {
			f.stop()
			delete(w.peers, k)
		}
	}
	for k, p := range peers {
		if w.peers[k] != nil {
			continue
		}
		if p.Name != "" && p.Known.Remote.IsValid() && p.unusable(p.Known.Remote) != nil {
			p.Known = overlay.TunnelPath{}
		}
		ctx, stop := context.WithCancel(ctx)
		f := &follower{peer: p, stop: stop, status: begin(p, time.Now())}
		w.peers[k] = f
		if p.Name != "" || p.KeepAlive != nil {
			w.running.Go(func() { w.follow(ctx, f) })
		}
	}
}

// Wait returns when nobody is followed any more, after the contexts of all Follow calls ended.
func (w *Watcher) Wait() { w.running.Wait() }

// begin is what is known of a peer before anything was found out.
func begin(p Peer, now time.Time) Status {
	s := Status{State: overlay.TunnelUp, Since: now}
	if p.KeepAlive != nil {
		s = newMachine(*p.KeepAlive, p.Known.Down, now).status()
	}
	if s.Remote = p.Remote; p.Name != "" {
		s.Remote = p.Known.Remote
	}
	if !s.Remote.IsValid() {
		s.State, s.Why = overlay.TunnelUnresolved, fmt.Sprintf("%s is being looked up", p.Name)
	}
	return s
}

// follow looks up and asks one peer until ctx ends.
func (w *Watcher) follow(ctx context.Context, f *follower) {
	ask, looked := make(<-chan time.Time), make(<-chan time.Time)
	var m *machine
	if k := f.peer.KeepAlive; k != nil {
		t := time.NewTicker(k.Interval())
		defer t.Stop()
		m, ask = newMachine(*k, f.peer.Known.Down, time.Now()), t.C
	}
	p := finding{peer: f.peer, remote: f.peer.Remote, machine: m, resolver: w.resolver, begun: time.Now()}
	p.asker = asker{peer: f.peer, id: uint16(rand.Uint32())} // any that others are unlikely to have
	if f.peer.Name != "" {
		p.remote = f.peer.Known.Remote
		t := time.NewTicker(lookEvery)
		defer t.Stop()
		looked = t.C
		p.look(ctx)
	}
	for {
		w.set(ctx, f, p.status())
		select {
		case <-ctx.Done():
			return
		case <-looked:
			p.look(ctx)
		case <-ask:
			p.ask(ctx)
		}
	}
}

// set publishes a status, if it is still asked for.
func (w *Watcher) set(ctx context.Context, f *follower, s Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	was, wasState := f.status.path()
	now, state := s.path()
	f.status = s
	if was != now || wasState != state {
		select {
		case w.changed <- struct{}{}:
		default: // it has been told already
		}
	}
}

// finding is what one goroutine knows of its peer.
type finding struct {
	peer     Peer
	resolver Resolver
	machine  *machine // nil: nobody is asked
	asker    asker
	begun    time.Time
	remote   netip.Addr
	unknown  error
	// since is when the name came to be known, or ceased to be.
	since time.Time
}

// look looks the name up. A name that cannot be looked up keeps the address that it had.
func (p *finding) look(ctx context.Context) {
	remote, err := look(ctx, p.resolver, p.peer, p.remote)
	if ctx.Err() != nil {
		return
	}
	p.unknown = err
	if err == nil && remote != p.remote {
		p.remote, p.since = remote, time.Now()
	}
}

// ask asks the peer; a tunnel without a far end is not asked.
func (p *finding) ask(ctx context.Context) {
	if !p.remote.IsValid() {
		return
	}
	trip, err := p.asker.ask(ctx, p.machine.needs.Interval())
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.machine.missed(err, time.Now())
	default:
		p.machine.answered(trip, time.Now())
	}
}

func (p *finding) status() Status {
	s := Status{State: overlay.TunnelUp, Since: p.begun}
	if p.machine != nil {
		s = p.machine.status()
	}
	s.Remote = p.remote
	if !p.remote.IsValid() {
		s = begin(p.peer, p.begun)
		if p.unknown != nil {
			s.Why = p.unknown.Error()
		}
		return s
	}
	if p.since.After(s.Since) && s.State == overlay.TunnelUp {
		s.Since = p.since
	}
	if p.unknown != nil && s.Why == "" {
		s.Why = fmt.Sprintf("%v; %s is what it was", p.unknown, p.remote)
	}
	return s
}
