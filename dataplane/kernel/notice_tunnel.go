package kernel

import "golang.org/x/sys/unix"

// noticeTunnels compares a notification of the host with the tunnels that stand alone. It
// comes before the host's links are brought up to date.
func (p *Plane) noticeTunnels(w *watch, kind uint16, m []byte) {
	want := p.wanted.Load().tunnels
	if len(want.Links) == 0 {
		return
	}
	s := tunnelNotice{p: p, table: w.table, want: want}
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if m[0] != unix.AF_BRIDGE {
			s.link(parseLink(m), kind == unix.RTM_DELLINK)
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if a, ok := w.table.address(parseAddress(m)); ok && has(want.Links, a.Link) {
			wanted := has(want.Addresses, a)
			if wanted || !a.Prefix.Addr().IsLinkLocalUnicast() {
				s.judge(a, wanted, true, kind == unix.RTM_DELADDR)
			}
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		s.route(parseRoute(m), kind == unix.RTM_DELROUTE)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		s.entry(parseEntry(m), kind == unix.RTM_DELNEIGH)
	}
}

// tunnelNotice judges one notification.
type tunnelNotice struct {
	p     *Plane
	table linkTable
	want  Objects
}

// judge is noticing.judge.
func (s tunnelNotice) judge(key any, wanted, same, gone bool) {
	switch {
	case gone && wanted:
		s.p.suspicions.raise(ofHost, lost{key})
	case gone || wanted && same:
		s.p.suspicions.drop(ofHost, key)
	default:
		s.p.suspicions.raise(ofHost, key)
	}
}

func (s tunnelNotice) link(l hostLink, gone bool) {
	was := s.table.links[l.index]
	if was.name != "" && was.name != l.name && has(s.want.Links, LinkID{Host, was.name}) {
		s.judge(LinkID{Host, was.name}, true, false, true) // renamed
	}
	id := LinkID{Host, l.name}
	want, ok := s.want.Links[id]
	if !ok {
		return
	}
	if was.link.Up && !l.link.Up && want.Up {
		s.p.suspicions.raise(ofHost, lost{id}) // with routes, of which nothing is said
	}
	have := s.table.tunnelLink(l, want)
	have.Peer, have.Master = want.Peer, want.Master // only a look tells; that is others' to say (letBe)
	s.judge(id, true, have == want, gone)
}

func (s tunnelNotice) route(r hostRoute, gone bool) {
	k, have, ok := s.table.route(r)
	if !ok {
		return
	}
	want, wanted := s.want.Routes[k]
	if has(s.want.Links, LinkID{Host, have.Device}) && (wanted || r.proto == Static) {
		s.judge(k, wanted, have == want, gone)
	}
}

func (s tunnelNotice) entry(e fdbEntry, gone bool) {
	if id := s.table.id(e.link); gone && s.table.isDefault(e) && has(s.want.Links, id) {
		s.p.suspicions.raise(ofHost, lost{id})
	}
	if k, vtep, ok := s.table.tunnel(e); ok && has(s.want.Links, k.Link) {
		want, wanted := s.want.Tunnels[k]
		if wanted || e.made() {
			s.judge(k, wanted, e.made() && vtep == want, gone)
		}
	}
	if k, mac, ok := s.table.neighbor(e); ok && has(s.want.Links, k.Link) {
		want, wanted := s.want.Neighbors[k]
		if wanted || e.state&nudPermanent != 0 {
			s.judge(k, wanted, mac == want, gone)
		}
	}
}
