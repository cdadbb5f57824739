package kernel

import (
	"golang.org/x/sys/unix"

	"weft/dataplane/nft"
	"weft/overlay"
)

// notice compares a notification with what is wanted. Weft's own changes lead to
// that, so what they announce is either as wanted, or becomes so by a later
// notification about the same thing; anything else is a suspicion, which verify
// looks into.
func (p *Plane) notice(w *watch, h unix.NlMsghdr, m []byte) {
	if len(m) == 0 {
		return
	}
	if w.network == ofHost {
		p.noticeOnHost(w, h.Type, m)
		return
	}
	n := p.wanted.Load().networks[w.network]
	if n == nil {
		return // it is being removed
	}
	s := noticing{p: p, n: n, w: w}
	gone := h.Type == unix.RTM_DELLINK || h.Type == unix.RTM_DELNEIGH || h.Type == unix.RTM_DELADDR || h.Type == unix.RTM_DELROUTE
	switch h.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		s.link(m, gone)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		s.entry(parseEntry(m), gone)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if a, ok := w.table.address(parseAddress(m)); ok {
			_, wanted := n.frame.Addresses[a]
			s.judge(a, wanted, true, gone)
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if k, r, ok := w.table.route(parseRoute(m)); ok {
			want, wanted := n.frame.Routes[k]
			s.judge(k, wanted, r == want, gone)
		}
	case unix.RTM_NEWNETCONF:
		if id, value, ok := w.table.forwarding(m); ok {
			if want, wanted := n.frame.Sysctls[id]; wanted {
				s.judge(id, true, value == want, false)
			}
		}
	case unix.RTM_DELTFILTER, unix.RTM_DELQDISC:
		if id := w.table.id(linkOfFilter(m)); has(n.frame.Redirects, id) || has(n.frame.Answers, id) {
			s.raise(lost{id})
		}
	}
}

// linkOfFilter is the link that a message about traffic control is of (linux/rtnetlink.h, tcmsg).
func linkOfFilter(m []byte) int { return number(m[4:min(8, len(m))]) }

// noticing judges one notification about a network.
type noticing struct {
	p *Plane
	n *wantedNetwork
	w *watch
	// paced is set if a workload can cause as many notifications as it likes.
	paced bool
}

// judge takes in that the object with this key is there, or gone. When a wanted one
// goes, it is looked for even if it comes back: others may have gone with it unsaid.
func (s noticing) judge(key any, wanted, same, gone bool) {
	switch {
	case gone && wanted:
		s.raise(lost{key})
	case gone || wanted && same:
		s.p.suspicions.drop(s.n.net.Name, s.key(key))
	default:
		s.raise(key)
	}
}

func (s noticing) raise(key any) { s.p.suspicions.raise(s.n.net.Name, s.key(key)) }

func (s noticing) key(key any) any {
	if s.paced {
		return inWorkload{key}
	}
	return key
}

// lost is the key of a suspicion that nothing but a look can drop.
type lost struct{ key any }

func (s noticing) link(m []byte, gone bool) {
	l := parseLink(m)
	if m[0] == unix.AF_BRIDGE {
		s.port(l, gone)
		return
	}
	was := s.w.table.links[l.index]
	id := LinkID{s.w.table.ns, l.name}
	want, wanted := s.n.frame.Links[id]
	if gone {
		delete(s.w.table.links, l.index)
		s.w.hush(l.index)
		s.remade(l.name)
		s.judge(id, wanted, false, true)
		return
	}
	if isFallback(l) {
		return
	}
	if was.name != "" && was.name != l.name {
		s.raise(lost{LinkID{id.NS, was.name}})
	}
	if was.name == "" {
		s.remade(l.name)
	}
	s.w.table.links[l.index] = l
	s.listen(l)
	have := s.w.table.link(l, want)
	have.Peer = want.Peer // only a look tells
	if was.link.Up && !l.link.Up {
		// Going down takes IPv4 routes along and says nothing of them.
		s.raise(lost{id})
	}
	s.judge(id, wanted, have == want, false)
}

// portFlags is the key of a suspicion about the flags of a bridge's port.
type portFlags LinkID

func (s noticing) port(l hostLink, gone bool) {
	id := s.w.table.id(l.index)
	want, ok := s.n.frame.Links[id]
	if !gone && ok && want.Port.Owned {
		s.judge(portFlags(id), true, l.flags == want.Port, false)
	}
}

func (s noticing) entry(e fdbEntry, gone bool) {
	if k, vtep, ok := s.w.table.tunnel(e); ok {
		want, wanted := s.n.tunnel(k)
		s.judge(k, wanted, e.made() && vtep == want, gone)
	}
	if k, station, ok := s.w.table.station(e); ok {
		want, wanted := s.n.station(k)
		if wanted || e.made() {
			s.judge(k, wanted, station == want, gone)
		}
		s.learnt(k.MAC, station, e, gone)
	}
	if k, mac, ok := s.w.table.neighbor(e); ok {
		want, wanted := s.n.neighbor(k)
		if wanted || e.made() {
			s.judge(k, wanted, mac == want, gone)
		}
	}
}

// noticeOnHost looks at the links that are Weft's.
func (p *Plane) noticeOnHost(w *watch, kind uint16, m []byte) {
	p.noticeTunnels(w, kind, m)
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		p.noticeHostLink(w, parseLink(m), m[0], kind == unix.RTM_DELLINK)
	case unix.RTM_DELTFILTER, unix.RTM_DELQDISC:
		id := w.table.id(linkOfFilter(m))
		if name, ours := p.wanted.Load().hosts[id]; ours {
			p.suspicions.raise(name, lost{id})
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if r := parseRoute(m); r.table == unix.RT_TABLE_MAIN {
			p.noticeHostRoute(w, r, kind == unix.RTM_DELROUTE)
		}
	case unix.RTM_NEWNETCONF:
		p.noticeForwarding(w, m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		gone := kind == unix.RTM_DELADDR
		p.noticeUnderlayAddress(w, parseAddress(m), gone)
		if a, ok := w.table.address(parseAddress(m)); ok && gone {
			if _, ours := p.wanted.Load().host.Addresses[a]; ours {
				p.suspicions.raise(ofHost, lost{a})
			}
		}
	}
}

// ofHost stands for what belongs to no single network.
const ofHost overlay.NetworkName = ""

// noticeHostRoute looks at the routes that are Weft's, or where one of Weft's is to be.
func (p *Plane) noticeHostRoute(w *watch, r hostRoute, gone bool) {
	k := RouteKey{Host, r.prefix, r.metric}
	want, wanted := p.wanted.Load().host.Routes[k]
	ours := r.proto == Protocol
	switch {
	case gone && wanted && ours:
		p.suspicions.raise(ofHost, lost{k})
	case gone || wanted && ours && r.via == want.Via:
		p.suspicions.drop(ofHost, k)
	case ours:
		p.suspicions.raise(ofHost, k)
	}
}

// noticeRules looks at changes of Weft's nft tables that are not Weft's.
func (p *Plane) noticeRules(w *watch, h unix.NlMsghdr, m []byte) {
	if !nft.Own(h.Pid) && nft.Concerns(m) {
		p.suspicions.raise(w.network, lost{aboutRules{}})
	}
}

// aboutRules is the key of a suspicion about a namespace's nft rules.
type aboutRules struct{}

func (p *Plane) noticeHostLink(w *watch, l hostLink, family byte, gone bool) {
	if family == unix.AF_BRIDGE {
		return // of other people's bridges
	}
	id := LinkID{Host, l.name}
	was, known := w.table.links[l.index]
	if known && was.name != l.name {
		p.noticeHostLink(w, was, family, true) // renamed
	}
	if gone {
		delete(w.table.links, l.index)
	} else {
		w.table.links[l.index] = l
		p.noticeUnderlayLink(was, l)
	}
	all := p.wanted.Load()
	name, ours := all.hosts[id]
	if !ours {
		return
	}
	n := all.networks[name]
	want := n.frame.Links[id]
	if want.Lent {
		return
	}
	have := w.table.link(l, want)
	have.Peer, have.NoGRO = want.Peer, want.NoGRO // only a look tells
	noticing{p: p, n: n, w: w}.judge(id, true, have == want, gone)
}

// aboutNamespace is the key of a suspicion about a network's namespace itself.
type aboutNamespace struct{}

// missed takes in that notifications were lost.
func (p *Plane) missed(w *watch) {
	p.suspicions.raise(w.network, lost{aboutNamespace{}})
	if w.network != ofHost {
		return
	}
	for name := range p.wanted.Load().networks {
		p.suspicions.raise(name, lost{aboutNamespace{}})
	}
}
