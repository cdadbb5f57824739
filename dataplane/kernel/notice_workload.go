package kernel

import (
	"golang.org/x/sys/unix"

	"weft/dataplane"
	"weft/overlay"
)

// listen makes what happens in the namespaces of the ports' workloads be noticed.
func (p *Plane) listen(h *hand, name overlay.NetworkName, ports map[overlay.EndpointName]dataplane.Port) error {
	if p.watches.post == nil {
		return nil
	}
	return p.watches.post.attend(h, name, spacesOf(ports))
}

// listenOnly does the same, and nothing else for this network.
func (p *Plane) listenOnly(h *hand, name overlay.NetworkName, ports map[overlay.EndpointName]dataplane.Port) error {
	if p.watches.post == nil {
		return nil
	}
	p.watches.post.leave(name, spacesOf(ports))
	return p.listen(h, name, ports)
}

func spacesOf(ports map[overlay.EndpointName]dataplane.Port) map[NS]struct{} {
	spaces := map[NS]struct{}{}
	for _, port := range ports {
		if port.Attach.Type == overlay.AttachNetns {
			spaces[NS(port.Attach.Target)] = struct{}{}
		}
	}
	return spaces
}

// noticeWorkload is notice for what happens in a workload's namespace. Most of that is
// the workload's own business, and costs no more than the look at whether it is.
func (p *Plane) noticeWorkload(from int, h unix.NlMsghdr, m []byte) {
	p.watches.post.mu.Lock()
	defer p.watches.post.mu.Unlock()
	w := p.watches.post.workloads[from]
	if w == nil || len(m) == 0 || m[0] == unix.AF_BRIDGE {
		return
	}
	gone := h.Type == unix.RTM_DELLINK || h.Type == unix.RTM_DELADDR || h.Type == unix.RTM_DELROUTE
	var was, is hostLink
	if h.Type == unix.RTM_NEWLINK || h.Type == unix.RTM_DELLINK {
		is = parseLink(m)
		was = w.links[is.index]
		w.links[is.index] = is
		if gone {
			delete(w.links, is.index)
		}
	}
	networks := p.wanted.Load().networks
	for at := range w.sites {
		n := networks[at.network]
		if n == nil {
			continue // it is being removed
		}
		s := inside{noticing{p: p, n: n, paced: true}, linkTable{at.ns, w.links}}
		switch h.Type {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			s.link(was, is, gone)
		case unix.RTM_NEWADDR, unix.RTM_DELADDR:
			s.address(parseAddress(m), gone)
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			s.route(parseRoute(m), gone)
		}
	}
}

// inside judges one notification about a workload's namespace for one network. Weft
// wants some of what is there, and the rest is the workload's.
type inside struct {
	noticing
	table linkTable
}

func (s inside) link(was, is hostLink, gone bool) {
	if was.name != "" && was.name != is.name {
		s.link(hostLink{}, was, true) // renamed
	}
	id := LinkID{s.table.ns, is.name}
	want, wanted := s.n.frame.Links[id]
	if !wanted {
		return
	}
	have := s.table.link(is, want)
	have.Peer = want.Peer // only a look tells
	if was.link.Up && !have.Up {
		s.raise(lost{id}) // with IPv4 routes, of which nothing is said
	}
	s.judge(id, true, have == want, gone)
}

func (s inside) address(a hostAddress, gone bool) {
	at, ok := s.table.address(a)
	if _, ours := s.n.frame.Links[at.Link]; ok && ours {
		_, wanted := s.n.frame.Addresses[at]
		s.judge(at, wanted, true, gone)
	}
}

func (s inside) route(r hostRoute, gone bool) {
	k, have, ok := s.table.route(r)
	if !ok {
		return
	}
	want, wanted := s.n.frame.Routes[k]
	_, ours := s.n.frame.Links[LinkID{k.NS, have.Device}]
	if wanted || ours && have.Protocol == Protocol {
		s.judge(k, wanted, have == want, gone)
	}
}

// deaf takes in that notifications of workloads were lost: what is known of their links
// may be wrong.
func (p *Plane) deaf() {
	p.watches.post.mu.Lock()
	defer p.watches.post.mu.Unlock()
	for _, w := range p.watches.post.workloads {
		for at := range w.sites {
			p.suspicions.raise(at.network, inWorkload{lost{aboutNamespace{}}})
		}
	}
	p.watches.post.forget()
}

// runPost opens the listening post and listens, until it is closed.
func (p *Plane) runPost() {
	post, err := openPost()
	if err != nil {
		p.Log.Warn("what is changed inside workloads' namespaces is found by the audit only", "err", err)
		return
	}
	p.watches.post = post
	p.watches.running.Go(func() { post.conn.receive(p.noticeWorkload, p.deaf) })
}
