package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/overlay"
)

// run reads a watch, after what was there before it.
func (p *Plane) run(w *watch) {
	p.watches.running.Go(func() {
		if n := p.wanted.Load().networks[w.network]; n != nil {
			s := noticing{p: p, n: n, w: w}
			for _, l := range w.table.links {
				s.listen(l)
			}
			for _, e := range w.before {
				if k, at, ok := w.table.station(e); ok {
					s.learnt(k.MAC, at, e, false)
				}
			}
		}
		w.before = nil
		defer w.deafen()
		w.conn.receive(func(_ int, h unix.NlMsghdr, m []byte) { p.notice(w, h, m) }, func() { p.missed(w) })
	})
	p.watches.running.Go(func() {
		w.rules.receive(func(_ int, h unix.NlMsghdr, m []byte) { p.noticeRules(w, h, m) }, func() { p.missed(w) })
	})
}

// learnt takes in that the bridge has a station behind a port, or no more.
func (s noticing) learnt(mac overlay.MAC, at Station, e fdbEntry, gone bool) {
	port, segment := s.n.segments[at.Port]
	p := segmentPort{s.n.net.Name, port}
	switch {
	case gone && segment:
		s.p.stations.forgot(p, mac)
	case gone:
	case segment && !e.made() && !s.n.isOwn(mac):
		s.p.stations.learnt(p, mac)
	default:
		s.p.stations.moved(s.n.net.Name, mac)
	}
}

// remade takes in that a link went or is new: a segment port, or the bridge, takes
// along what is behind it, which has not aged.
func (s noticing) remade(link string) {
	port, segment := s.n.segments[link]
	if segment || link == bridgeName {
		s.p.stations.spare(s.n.net.Name, port)
	}
}

// listen makes the addresses of the stations behind a link heard, if it is a segment
// port's.
func (s noticing) listen(l hostLink) {
	port, segment := s.n.segments[l.name]
	if !segment || s.w.ears[l.index] != nil {
		return
	}
	var e *ear
	err := netns.Do(string(s.n.ns), func() (err error) {
		e, err = openEar(l.index)
		return err
	})
	if err != nil {
		// The link went, or the namespace: another notification says so.
		s.p.Log.Info("stations' addresses cannot be heard", "network", s.n.net.Name, "endpoint", port, "err", err)
		return
	}
	s.w.ears[l.index] = e
	at := segmentPort{s.n.net.Name, port}
	s.p.watches.running.Go(func() {
		e.run(func(mac overlay.MAC, ip netip.Addr) {
			if n := s.p.wanted.Load().networks[at.network]; n != nil && !n.isOwn(mac) {
				s.p.stations.heard(at, mac, ip)
			}
		})
	})
}

// hush closes the ear on a link, if there is one.
func (w *watch) hush(link int) {
	if e := w.ears[link]; e != nil {
		_ = e.file.Close() // a packet socket has nothing to lose
		delete(w.ears, link)
	}
}

// isOwn reports whether a MAC is a port's of this node, or the gateway's: no station
// has it, whoever says so.
func (w *wantedNetwork) isOwn(mac overlay.MAC) bool {
	_, port := w.frame.Stations[StationKey{LinkID{w.ns, bridgeName}, mac}]
	return port || mac == w.net.GatewayMAC
}
