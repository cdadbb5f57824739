package kernel

import (
	"errors"
	"io/fs"
	"math/rand/v2"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// do does the first op, or as many of the first ones as can be done at once, and
// returns how many these are. domain is the namespace that is all Weft's.
func (h *hand) do(ops []Op, domain NS) (int, error) {
	if links := deletions(ops, domain); len(links) > 1 {
		return len(links), h.deleteLinks(domain, links)
	}
	return 1, ops[0].do(h)
}

// deletions are the links that the first ops delete from a domain.
func deletions(ops []Op, domain NS) (links []string) {
	for _, op := range ops {
		o, ok := op.(deleteLink)
		if !ok || o.ID.NS != domain {
			break
		}
		links = append(links, o.ID.Name)
	}
	return links
}

// doomed is a group (IFLA_GROUP) for links that are about to be deleted: another one
// each time, as links that a killed process has marked may stay after all. Group 0 is
// everybody's. Elsewhere a group's links could be somebody else's, in a domain they
// are not.
func doomed() *nl.RtAttr {
	return nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(1<<31|rand.Uint32()))
}

// deleteLinks deletes links of a domain as one group. For each request to delete the
// kernel waits until nobody uses what goes any more (net/core/dev.c,
// unregister_netdevice_many_notify, synchronize_net): tens of milliseconds, for one
// link or for a thousand.
func (h *hand) deleteLinks(domain NS, names []string) error {
	s, err := h.in(domain)
	if err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	group := doomed()
	for _, name := range names {
		i, err := s.link(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = ignore(s.send(unix.RTM_SETLINK, 0, linkMessage(unix.AF_UNSPEC, i), group), unix.ENODEV)
		}
		if err != nil {
			return err
		}
		delete(s.index, name)
	}
	return ignore(s.send(unix.RTM_DELLINK, 0, linkMessage(unix.AF_UNSPEC, 0), group), unix.ENODEV)
}
