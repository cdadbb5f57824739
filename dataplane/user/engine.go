package user

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"weft/dataplane/kernel"
	"weft/overlay"
)

// Engine carries what TUN links have, in this process. It is a kernel.Carrier.
type Engine struct {
	host string // the path of the host's namespace
	log  *slog.Logger

	mu      sync.Mutex
	links   map[kernel.LinkID]*link
	sockets map[netip.AddrPort]*socket
	// strangers are packets to a socket of several links from peers of none of them.
	strangers drops
	running   sync.WaitGroup
}

var _ kernel.Carrier = (*Engine)(nil)

// NewEngine returns an Engine for a host whose network namespace is at that path. Who is done
// with it closes it.
func NewEngine(host string, log *slog.Logger) *Engine {
	return &Engine{host: host, log: log, links: map[kernel.LinkID]*link{}, sockets: map[netip.AddrPort]*socket{}}
}

// Close ends all, and waits for that.
func (e *Engine) Close() error {
	err := e.load(nil)
	e.running.Wait()
	return err
}

// Carry implements kernel.Carrier.
func (e *Engine) Carry(id kernel.LinkID, c *kernel.Carried) error {
	e.mu.Lock()
	want := map[kernel.LinkID]kernel.Carried{}
	for id, l := range e.links {
		want[id] = l.carried
	}
	e.mu.Unlock()
	delete(want, id)
	if c != nil {
		want[id] = *c
	}
	err := e.load(want)
	if c == nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(err, e.links[id].err)
}

// Carried implements kernel.Carrier.
func (e *Engine) Carried() (map[kernel.LinkID]kernel.Carried, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[kernel.LinkID]kernel.Carried{}
	for id, l := range e.links {
		c := l.carried
		if err := l.state(); err != nil {
			c.Broken, c.PortTaken = err.Error(), errors.Is(err, unix.EADDRINUSE)
		}
		all[id] = c
	}
	return all, nil
}

// Counts implements kernel.Carrier.
func (e *Engine) Counts() (kernel.CarriedCounts, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := kernel.CarriedCounts{Links: map[kernel.LinkID]kernel.CarriedCount{}, Drops: e.strangers.read()}
	for id, l := range e.links {
		all.Links[id] = l.counters.read()
	}
	return all, nil
}

// load makes links and sockets those that are wanted. One that cannot be made says so in its
// state; what there is goes on while its tables are replaced.
func (e *Engine) load(want map[kernel.LinkID]kernel.Carried) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	used := map[netip.AddrPort]*claims{}
	for _, id := range e.inOrder(want) {
		l := e.links[id]
		if l == nil {
			l = &link{id: id}
			e.links[id] = l
		}
		l.carried = want[id]
		if l.err = e.prepare(l, used); l.err != nil {
			l.out.Store(nil)
			e.log.Error("a link is not carried for", "link", id.Name, "namespace", id.NS, "err", l.err)
		}
	}
	var errs []error
	for at, s := range e.sockets {
		if of, ok := used[at]; ok {
			s.take(of, &e.strangers)
			continue
		}
		delete(e.sockets, at)
		errs = append(errs, s.close())
	}
	for id, l := range e.links {
		if _, ok := want[id]; !ok {
			delete(e.links, id)
			errs = append(errs, l.close())
		}
	}
	return errors.Join(errs...)
}

// inOrder lists the links, first those that are carried for and do not change: nobody takes
// a peer from these.
func (e *Engine) inOrder(want map[kernel.LinkID]kernel.Carried) []kernel.LinkID {
	settled := func(id kernel.LinkID) int {
		if l := e.links[id]; l != nil && l.err == nil && l.carried.Equal(want[id]) {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(maps.Keys(want), func(a, b kernel.LinkID) int {
		return cmp.Or(cmp.Compare(settled(a), settled(b)), compareLinks(a, b))
	})
}

func compareLinks(a, b kernel.LinkID) int {
	return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Name, b.Name))
}

// prepare opens what a link needs and is not open, and notes its peers at its socket.
func (e *Engine) prepare(l *link, used map[netip.AddrPort]*claims) error {
	c := l.carried
	if err := jobOf(l.id, c).check(); err != nil {
		return err
	}
	p := profile{ttl: c.TTL.Hops, fragment: c.Fragment, noChecksum: c.NoChecksum}
	of := used[c.Local]
	if of == nil {
		s, err := e.socket(c.Local, p)
		if err != nil {
			return err
		}
		of = &claims{socket: s, peers: map[netip.Addr]*inWay{}}
		used[c.Local] = of
	}
	if of.socket.profile != p {
		return fmt.Errorf("%s in %s sends from %s with another TTL, DF or checksum: want the same, or another port",
			of.links[0].id.Name, of.links[0].id.NS, c.Local)
	}
	if err := of.add(l); err != nil {
		return err
	}
	l.out.Store(&outWay{newOutTable(c), of.socket})
	return e.open(l)
}

// socket is the one at an address and a port, which sends so.
func (e *Engine) socket(at netip.AddrPort, p profile) (*socket, error) {
	if s := e.sockets[at]; s != nil {
		if s.profile == p && !s.dead.Load() {
			return s, nil
		}
		delete(e.sockets, at)
		if err := s.close(); err != nil {
			return nil, err
		}
	}
	u, err := openUDP(e.host, at, p)
	if err != nil {
		return nil, err
	}
	s := &socket{at: at, profile: p, udp: u}
	s.take(&claims{}, &e.strangers)
	e.sockets[at] = s
	e.running.Go(s.run)
	return s, nil
}

// open opens the link, unless it is open.
func (e *Engine) open(l *link) error {
	if l.tun != nil && l.tun.there() {
		return nil
	}
	if err := l.close(); err != nil {
		return err
	}
	path := string(l.id.NS)
	if l.id.NS == kernel.Host {
		path = e.host
	}
	t, err := openTUN(path, l.id.Name)
	if err != nil {
		return err
	}
	l.tun = t
	l.to.Store(t)
	e.running.Go(func() { l.run(t) })
	return nil
}

// reasonOf is why a packet could not be sent.
func reasonOf(err error) overlay.DropReason {
	if errors.Is(err, errTooBig) {
		return overlay.DropTooBig
	}
	return overlay.DropNoRoute
}
