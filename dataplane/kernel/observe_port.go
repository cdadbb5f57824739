package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/nlmsg"
)

// hostLinks reads the network's links in the host's own namespace.
func (o *observer) hostLinks() error {
	s, err := o.hand.in(Host)
	if err != nil {
		return err
	}
	t, err := readLinks(s)
	if err != nil {
		return err
	}
	o.tables[Host] = t
	for _, l := range t.links {
		id := LinkID{Host, l.name}
		ours := tagged(l.link.Alias, o.name)
		if want, ok := o.want.Links[id]; ok && !ours && !want.Lent {
			if ours, err = o.isOurs(id, want); err != nil {
				return err
			}
		}
		if ours {
			if o.Links[id], err = o.hostLink(s, t.link(l, o.want.Links[id]), id); err != nil {
				return err
			}
		}
	}
	return nil
}

// hostLink adds to a link what a dump of links does not tell.
func (o *observer) hostLink(s *space, l Link, id LinkID) (Link, error) {
	if !o.want.Links[id].NoGRO {
		return l, nil
	}
	merges, err := s.merges(id.Name)
	l.NoGRO = !merges
	return l, ignore(err, unix.ENODEV) // it has gone meanwhile
}

// isOurs reports whether a link that has lost its tag is Weft's: by its other end, or
// by where its traffic goes.
func (o *observer) isOurs(id LinkID, want Link) (bool, error) {
	if want.Kind == KindVeth {
		return o.joined(want.Peer, id), nil
	}
	to, err := o.redirect(id)
	return to != "" && to == o.want.Redirects[id], err
}

// workloads reads what is wanted in workloads' namespaces. Links that are not
// Weft's are not read: what is in their place is for the op to find out.
func (o *observer) workloads() error {
	for id, want := range o.want.Links {
		if id.NS == Host || id.NS == o.ns {
			continue
		}
		if err := o.workload(id, want); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (o *observer) workload(id LinkID, want Link) error {
	if _, err := os.Stat(string(id.NS)); err != nil {
		return err // gone with its workload
	}
	s, err := o.hand.in(id.NS)
	if err != nil {
		return err
	}
	l, ok, err := s.named(id.Name)
	if err != nil || !ok {
		return err
	}
	t, ok := o.tables[id.NS]
	if !ok {
		t = linkTable{id.NS, map[int]hostLink{}}
		o.tables[id.NS] = t
	}
	t.links[l.index] = l
	if !tagged(l.link.Alias, o.name) && !o.joined(want.Peer, id) {
		return nil
	}
	o.Links[id] = t.link(l, want)
	if l.link.NoIPv6 {
		o.spare(id)
	}
	err = s.addresses(func(a hostAddress) {
		if a, ok := t.address(a); ok && a.Link == id {
			o.Addresses[a] = struct{}{}
		}
	})
	return errors.Join(err, s.routes(l.index, func(r hostRoute) {
		if k, route, ok := t.route(r); ok && r.proto == Protocol {
			o.Routes[k] = route
		}
	}))
}

// spare takes the address that is spared a workload's interface without IPv6 as there.
func (o *observer) spare(id LinkID) {
	for a := range o.want.Addresses {
		if a.Link == id && isSpared(a) {
			o.Addresses[a] = struct{}{}
		}
	}
}

// isSpared reports whether an interface without IPv6 need not have the address: a workload's, and
// link-local. Many containers have none (net.ipv6.conf.all.disable_ipv6), and for IPv4 they lack
// nothing.
func isSpared(a Address) bool {
	return a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast() && a.Link.NS.isWorkload()
}

// redirects reads those of the network's links on the host, and in the domain where there should
// be any.
func (o *observer) redirects() error {
	for id := range o.Links {
		if id.NS != Host && !has(o.want.Redirects, id) {
			continue
		}
		to, err := o.redirect(id)
		if err != nil {
			return err
		}
		if to != "" {
			o.Redirects[id] = to
		}
	}
	return o.answers()
}

// redirect is where a link's traffic is redirected to; empty: nowhere, or not by
// what Weft would have set.
func (o *observer) redirect(id LinkID) (string, error) {
	filters, err := o.filters(id, netlink.HANDLE_MIN_INGRESS)
	to := ""
	for _, f := range filters {
		u, ok := f.(*netlink.U32)
		if !ok || u.Handle != filterHandle || len(u.Actions) != 1 {
			continue
		}
		if m, ok := u.Actions[0].(*netlink.MirredAction); ok && m.MirredAction == netlink.TCA_EGRESS_REDIR {
			to = o.tables[id.NS].id(m.Ifindex).Name
		}
	}
	return to, err
}

// filters are those of a link for one direction.
func (o *observer) filters(id LinkID, parent uint32) ([]netlink.Filter, error) {
	tc, err := o.hand.traffic(id.NS)
	if err != nil {
		return nil, err
	}
	defer tc.Close()
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: o.tables[id.NS].named(id.Name).index}}
	filters, err := tc.FilterList(link, parent)
	return filters, ignore(err, unix.EINVAL) // there is no such qdisc
}

// namespaceID is the number by which a namespace knows another one, or -1: the
// links of a veth refer to each other with it.
func (h *hand) namespaceID(ns, other NS) (int, error) {
	s, err := h.in(ns)
	if err != nil {
		return -1, err
	}
	if same, err := h.same(ns, other); same || err != nil {
		return -1, err
	}
	return s.numberOf(h.path(other))
}

// numberOf is the number by which the namespace knows the one at path, or -1.
func (s *space) numberOf(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return -1, err
	}
	defer file.Close()
	id := -1
	err = s.get(unix.RTM_GETNSID, func(m []byte) {
		nlmsg.Attributes(m[min(sizeofRtgenmsg, len(m)):], func(kind uint16, v []byte) {
			if kind == netlink.NETNSA_NSID {
				id = number(v)
			}
		})
	}, &nl.RtGenMsg{}, nl.NewRtAttr(netlink.NETNSA_FD, nl.Uint32Attr(uint32(file.Fd()))))
	return id, err
}

// sizeofRtgenmsg is the size of struct rtgenmsg with its padding, in bytes.
const sizeofRtgenmsg = 4

// same reports whether two names stand for one namespace.
func (h *hand) same(a, b NS) (bool, error) {
	x, err := netns.ID(h.path(a))
	if err != nil {
		return false, fmt.Errorf("compare namespaces: %w", err)
	}
	y, err := netns.ID(h.path(b))
	if err != nil {
		return false, fmt.Errorf("compare namespaces: %w", err)
	}
	return x == y, nil
}
