package kernel

import "strings"

// underlayDevice is the key of a suspicion about the devices by which tunnel packets may come
// in: there may be one more.
type underlayDevice struct{}

// noticeUnderlayLink looks whether programs are to run on a link of the host's: one that goes up gets
// an IPv6 address, of which the kernel tells only when nobody else has it (net/ipv6/addrconf.c,
// addrconf_dad_completed).
func (p *Plane) noticeUnderlayLink(was, is hostLink) {
	if is.link.Up && !was.link.Up || is.running && !was.running {
		p.suspectUnderlay(is)
	}
}

// noticeUnderlayAddress does so for the link of an address. One is announced again and again while
// a router says that it holds (RFC 4862 section 5.5.3): that is no news.
func (p *Plane) noticeUnderlayAddress(w *watch, a hostAddress, gone bool) {
	_, known := w.addresses[a]
	switch {
	case gone:
		delete(w.addresses, a)
	case !known:
		w.addresses[a] = struct{}{}
		p.suspectUnderlay(w.table.links[a.link])
	}
}

// suspectUnderlay has all programs looked at, unless the link is Weft's.
func (p *Plane) suspectUnderlay(l hostLink) {
	all, id := p.wanted.Load(), LinkID{Host, l.name}
	if l.name == loopbackName || strings.HasPrefix(l.link.Alias, aliasPrefix) || l.group == halfMade || has(all.hosts, id) || has(all.tunnels.Links, id) {
		return
	}
	if len(all.tunnels.Forwarded) > 0 {
		p.suspicions.raise(ofHost, underlayDevice{})
	}
	for name, n := range all.networks {
		if len(n.frame.Programs) > 0 {
			p.suspicions.raise(name, underlayDevice{})
		}
	}
}
