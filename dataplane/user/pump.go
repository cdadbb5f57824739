package user

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weft/dataplane/kernel"
	"weft/overlay"
)

// errTooBig: the packet is larger than the path to the peer takes.
var errTooBig = unix.EMSGSIZE

// link is a TUN link, and what is done with it.
type link struct {
	id      kernel.LinkID
	carried kernel.Carried
	// err is why it is not done.
	err error
	tun *tun // nil: never opened
	// to is tun, for those who write. out is where packets from it go; nil: nowhere.
	to       atomic.Pointer[tun]
	out      atomic.Pointer[outWay]
	counters counters
}

// outWay leads out of a link.
type outWay struct {
	*outTable
	by *socket
}

// state is why nothing is carried, nil if it is.
func (l *link) state() error {
	switch {
	case l.err != nil:
		return l.err
	case l.tun == nil || !l.tun.there():
		return errors.New("the link has gone")
	case l.out.Load() == nil || l.out.Load().by.dead.Load():
		return errors.New("its socket has failed")
	}
	return nil
}

func (l *link) close() error {
	if l.tun == nil {
		return nil
	}
	l.to.Store(nil)
	err := l.tun.Close()
	l.tun = nil
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

// run takes what comes out of the link to its peers, until that is closed or gone.
func (l *link) run(t queue) {
	batch := newBatch()
	for {
		n, err := t.read(batch)
		if err != nil {
			return // state tells
		}
		for i := range batch[:n] {
			l.send(batch[i : i+1])
		}
	}
}

// send sends one packet.
func (l *link) send(one []datagram) {
	d, way := &one[0], l.out.Load()
	if way == nil {
		return
	}
	peer, tos, why := way.decide(d.packet)
	if why == "" {
		d.peer, d.tos, d.port = peer, tos, way.by.at.Port()
		if _, err := way.by.udp.write(one); err != nil {
			why = reasonOf(err)
		}
	}
	if why != "" {
		l.counters.drops.add(why, len(d.packet))
		return
	}
	l.counters.all.to.add(len(d.packet))
	l.counters.peer(peer).to.add(len(d.packet))
}

// socket is what its links' packets come in by, and go out.
type socket struct {
	at      netip.AddrPort
	profile profile
	udp     queue
	in      atomic.Pointer[claims]
	// strangers counts packets from nobody's peers.
	strangers atomic.Pointer[drops]
	// dead: nothing comes in by it any more.
	dead atomic.Bool
}

// claims are what the links of a socket take from it: what their peers send. It is not
// changed once the socket has it.
type claims struct {
	socket *socket
	links  []*link
	peers  map[netip.Addr]*inWay
}

// inWay leads from a peer into a link.
type inWay struct {
	link  *link
	count *traffic
}

// add adds a link's, unless another one has one of its peers.
func (c *claims) add(l *link) error {
	for _, a := range l.carried.Peers {
		if there := c.peers[a]; there != nil {
			return fmt.Errorf("%s is a peer on %s of %s in %s, too, and nothing tells their packets apart: want another port",
				a, l.carried.Local, there.link.id.Name, there.link.id.NS)
		}
	}
	c.links = append(c.links, l)
	for _, a := range l.carried.Peers {
		c.peers[a] = &inWay{l, l.counters.peer(a)}
	}
	return nil
}

// take makes these the links that packets are for. Those from nobody's peers are counted at
// the link, if there is but one, and else as none's.
func (s *socket) take(c *claims, none *drops) {
	if len(c.links) == 1 {
		none = &c.links[0].counters.drops
	}
	s.in.Store(c)
	s.strangers.Store(none)
}

func (s *socket) close() error {
	if err := s.udp.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// run takes what comes in to the links, until it is closed.
func (s *socket) run() {
	defer s.dead.Store(true)
	batch := newBatch()
	for {
		n, err := s.udp.read(batch)
		if err != nil {
			return
		}
		for i := range batch[:n] {
			s.receive(batch[i : i+1])
		}
	}
}

// receive takes in one packet.
func (s *socket) receive(one []datagram) {
	d := &one[0]
	way, n := s.in.Load().peers[d.peer], len(d.packet)
	if way == nil {
		s.strangers.Load().add(overlay.DropNotMember, n)
		return
	}
	of := &way.link.counters
	of.all.from.add(n)
	way.count.from.add(n)
	var why overlay.DropReason
	if d.packet, why = unwrap(d.packet, d.tos); why != "" {
		of.drops.add(why, n)
		return
	}
	to := way.link.to.Load()
	if to == nil {
		of.drops.add(overlay.DropNoPort, n)
		return
	}
	if _, err := to.write(one); err != nil {
		of.drops.add(overlay.DropNoPort, n)
	}
}
